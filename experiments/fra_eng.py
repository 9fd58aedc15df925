"""Repeat the book's recorded runs on fra-eng: `make results`.

Two models, three seeds each, on the first 50,000 lines: the package's `rnn-attention`, and the
source text's configuration. A finished run is one line of `fra_eng.jsonl` and is not run again,
unless `--again` puts all records aside first; one that was interrupted goes on from its last whole
epoch. Seed 0 of `rnn-attention` is the model that ships with the book.
"""

import json
import random
import shutil
import sys
import time
from collections import Counter
from itertools import pairwise, product
from pathlib import Path
from statistics import mean

import records
import torch

import d2l_lite as d2l

HERE = Path(__file__).parent
RECORDS = HERE / "fra_eng.jsonl"
CORPUS = HERE / "fra_eng_corpus.json"
LINES = 50_000
RUNS = HERE.parent / "runs"
SHIPPED = HERE.parent / "book" / "models" / "fra-eng-rnn-attention"
SEEDS = (0, 1, 2)
EXPERIMENTS = {
    # What `python -m d2l_lite train --data fra-eng --num-examples 50000` does by default.
    "rnn-attention": {
        "sizes": {},
        "batch_size": 128,
        "training": {"epochs": 16, "lr": 0.003},
    },
    # E = H = 32, two layers, learning rate 0.005, as in the source text; the tanh restored, the
    # padding not read, the loss counted per word.
    "text": {
        "sizes": {
            "embed_size": 32,
            "hidden_size": 32,
            "num_layers": 2,
            "dropout": 0.0,
            "bidirectional": False,
            "tied": False,
            "query": "before",
        },
        "batch_size": 64,
        "training": {"epochs": 10, "lr": 0.005, "schedule": "constant", "clip": 5.0},
    },
}


def main() -> None:
    pairs = d2l.load_pairs("fra-eng")
    CORPUS.write_text(json.dumps(corpus_facts(pairs), indent=1) + "\n", encoding="utf-8")
    split = d2l.split_pairs(pairs[:LINES])
    again = "--again" in sys.argv[1:]
    if again:
        for name, seed in product(EXPERIMENTS, SEEDS):
            shutil.rmtree(folder_of(name, seed), ignore_errors=True)
    for name, seed in records.missing(RECORDS, EXPERIMENTS, SEEDS, again):
        record = run(name, seed, split)
        if (name, seed) == ("rnn-attention", 0):
            ship()
        records.append(RECORDS, record)
        print(f"{name}, seed {seed}: BLEU {record['scores']['bleu']:.1f}")


def corpus_facts(pairs: list[d2l.Pair]) -> dict:
    """What the book says about the corpus, whole and in its first lines (the text's)."""
    sources = [d2l.normalize(pair.source) for pair in pairs]
    counts = Counter(sources)
    lengths = [len(source.split()) for source in sources]
    ends = [len(pairs) * part // 100 for part in range(101)]
    first = lengths[:LINES]
    return {
        "pairs": len(pairs),
        "share_with_repeated_source": sum(counts[source] > 1 for source in sources) / len(pairs),
        "lines_of_a_source": dict(sorted(Counter(counts.values()).items())),
        "random_split_leak": random_leak(sources, 0.1),
        "random_split_leaks": {share: random_leak(sources, share) for share in (0.02, 0.05, 0.1)},
        "mean_lengths": [round(mean(lengths[a:b]), 2) for a, b in pairwise(ends)],
        "lost_ends": {"first lines": lost_ends(pairs[:LINES]), "all": lost_ends(pairs)},
        "first_lines": LINES,
        "first_lines_longest": max(first),
        "first_lines_mean_length": mean(first),
        "first_lines_most_translated": Counter(sources[:LINES]).most_common(1)[0],
        **word_facts(d2l.split_pairs(pairs[:LINES])),
    }


def random_leak(sources: list[str], share: float) -> float:
    """The share of a random test part whose sentences are also in training."""
    shuffled = random.Random(0).sample(sources, len(sources))
    size = int(share * len(shuffled))
    trained = set(shuffled[size:])
    return sum(source in trained for source in shuffled[:size]) / size


def lost_ends(pairs: list[d2l.Pair], size: int = 10) -> float:
    """The share of targets that lose their `<eos>` in a row of `size` tokens."""
    return sum(len(d2l.tokenize(pair.target)) + 2 > size for pair in pairs) / len(pairs)


def word_facts(split: d2l.Split) -> dict:
    """How often the source words of the training part occur, and which of the test part do not."""
    train = Counter(word for pair in split.train for word in d2l.tokenize(pair.source))
    test = [word for pair in split.test for word in d2l.tokenize(pair.source)]
    counts = sorted(train.values(), reverse=True)
    ranks = sorted({round(len(counts) ** (step / 60)) for step in range(61)})
    return {
        "words": len(train),
        "words_once": counts.count(1),
        "count_at_rank": {rank: counts[rank - 1] for rank in ranks},
        "unknown_in_test": {
            least: sum(train[word] < least for word in test) / len(test) for least in (1, 2, 3, 5)
        },
    }


def folder_of(name: str, seed: int) -> Path:
    return RUNS / f"fra-eng-{name}-{seed}"


def run(name: str, seed: int, split: d2l.Split) -> dict:
    """Train and score one model."""
    settings = EXPERIMENTS[name]
    vocabs = d2l.build_vocabs(split.train, min_count=2)
    torch.manual_seed(seed)
    model = d2l.build_model("rnn-attention", *vocabs, **settings["sizes"])
    batches = d2l.Batches(split.train, *vocabs, settings["batch_size"], seed)
    config = d2l.TrainConfig(
        **settings["training"],
        seed=seed,
        folder=folder_of(name, seed),
        resume=True,
        about={"data": "fra-eng", "num_examples": LINES, "seed": seed},
    )
    history = d2l.fit(model, batches, config, split.valid)
    return {
        "name": name,
        "seed": seed,
        "config": {**model.config, "batch_size": settings["batch_size"], **settings["training"]},
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "device": str(model.device),
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "seconds": sum(history["seconds"]),
        "history": list(history),
        "scores": d2l.evaluate(model, split.test),
        "unseen_targets": d2l.evaluate(model, unseen_targets(split)),
        "recorded": time.strftime("%Y-%m-%d"),
    }


def unseen_targets(split: d2l.Split) -> list[d2l.Pair]:
    """The test pairs of those sentences none of whose translations is some training target."""
    trained = {d2l.normalize(pair.target) for pair in split.train}
    seen = {
        d2l.normalize(pair.source) for pair in split.test if d2l.normalize(pair.target) in trained
    }
    return [pair for pair in split.test if d2l.normalize(pair.source) not in seen]


def ship() -> None:
    """Put the first seed's model into the book, in half precision."""
    model, config, history = d2l.load_run(folder_of("rnn-attention", 0))
    d2l.save_run(SHIPPED, model, history, config["about"], torch.float16)


if __name__ == "__main__":
    sys.exit(main())
