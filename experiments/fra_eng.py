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
from itertools import product
from pathlib import Path

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
    """What the book says about the corpus: sizes, repeated sources, what a random split leaks."""
    sources = [d2l.normalize(pair.source) for pair in pairs]
    counts = Counter(sources)
    shuffled = random.Random(0).sample(sources, len(sources))
    tenth = len(shuffled) // 10
    test, trained = shuffled[:tenth], set(shuffled[tenth:])
    lengths = [len(source.split()) for source in sources[:LINES]]
    most, times = Counter(sources[:LINES]).most_common(1)[0]
    return {
        "pairs": len(pairs),
        "share_with_repeated_source": sum(counts[source] > 1 for source in sources) / len(pairs),
        "random_split_leak": sum(source in trained for source in test) / len(test),
        "first_lines": LINES,
        "first_lines_longest": max(lengths),
        "first_lines_mean_length": sum(lengths) / len(lengths),
        "first_lines_most_translated": [most, times],
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
