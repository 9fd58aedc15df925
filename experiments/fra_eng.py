"""A translator trained on fra-eng, and what the book says of that corpus.

Two models, three seeds each, on the first 50,000 lines: the package's `rnn-attention`, and the
source text's configuration. Seed 0 of `rnn-attention` is the model that ships with the book.
"""

import json
import random
from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from itertools import pairwise, product
from operator import itemgetter
from pathlib import Path
from statistics import mean

from sacrebleu.metrics import BLEU
from train import defaults, ship, train

import d2l_lite as d2l

HERE = Path(__file__).parent
RECORDS = HERE / "fra_eng.jsonl"
CORPUS = HERE / "fra_eng_corpus.json"
ERRORS = HERE / "fra_eng_errors.json"
COUNTS = HERE / "fra_eng_counts.json"
LINES = 50_000
SHIPPED = "fra-eng-rnn-attention"
SEEDS = (0, 1, 2)
MODELS = {
    # What `python -m d2l_lite train --data fra-eng --num-examples 50000` does by default.
    "rnn-attention": defaults("rnn-attention"),
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
        "min_count": 2,
        "batch_size": 64,
        "training": {"epochs": 10, "lr": 0.005, "schedule": "constant", "clip": 5.0},
    },
}


def runs() -> list[tuple[str, int]]:
    return list(product(MODELS, SEEDS))


@cache
def corpus() -> list[d2l.Pair]:
    return d2l.load_pairs("fra-eng")


@cache
def split() -> d2l.Split:
    return d2l.split_pairs(corpus()[:LINES])


def prepare() -> None:
    """Count the corpus; say now, and not an hour later, that it is missing."""
    CORPUS.write_text(json.dumps(corpus_facts(corpus()), indent=1) + "\n", encoding="utf-8")


def finish(folder_of: Callable[[str, int], Path]) -> None:
    """Write down the shipped model's errors, and what BLEU counts in the translations."""
    text = json.dumps(errors(split()), indent=1, ensure_ascii=False)
    ERRORS.write_text(text + "\n", encoding="utf-8")
    folders = [folder_of("rnn-attention", seed) for seed in SEEDS]
    if all(map(Path.exists, folders)):  # runs are no part of a checkout; their counts are
        counts = [sentence_counts(d2l.load_run(folder).model, split().test) for folder in folders]
        COUNTS.write_text(json.dumps(counts) + "\n", encoding="utf-8")


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


def run(name: str, seed: int, folder: Path) -> dict:
    """Train one model in `folder`, or go on with it there, and score it; returns the record."""
    settings, parts = MODELS[name], split()
    about = {"data": "fra-eng", "num_examples": LINES, "seed": seed}
    build = partial(d2l.build_model, "rnn-attention")
    model, trained = train(build, parts, settings, folder, about)
    if (name, seed) == ("rnn-attention", 0):
        ship(folder, SHIPPED)
    return {
        "name": name,
        "seed": seed,
        **trained,
        "scores": d2l.evaluate(model, parts.test),
        "unseen_targets": d2l.evaluate(model, unseen_targets(parts)),
    }


def unseen_targets(split: d2l.Split) -> list[d2l.Pair]:
    """The test pairs of those sentences none of whose translations is some training target."""
    trained = {d2l.normalize(pair.target) for pair in split.train}
    seen = {
        d2l.normalize(pair.source) for pair in split.test if d2l.normalize(pair.target) in trained
    }
    return [pair for pair in split.test if d2l.normalize(pair.source) not in seen]


def by_source(pairs: list[d2l.Pair]) -> dict[str, list[str]]:
    """Each source sentence once, with all its targets."""
    found: dict[str, tuple[str, list[str]]] = {}
    for pair in pairs:
        found.setdefault(d2l.normalize(pair.source), (pair.source, []))[1].append(pair.target)
    return dict(found.values())


def errors(split: d2l.Split, number: int = 10, least: int = 5) -> dict:
    """What the shipped model gets wrong in the test part, and what being tested on seen sentences
    would hide.

    `errors` are `number` translations that equal no reference, drawn with a fixed seed from those
    of sources of at least `least` words; `scores` stand for as many sentences of the training part
    as the test part has, and for the test part.
    """
    model = d2l.load_run(SHIPPED).model
    test, train = by_source(split.test), by_source(split.train)
    sources, right = list(test), list(test.values())
    found = d2l.translate(model, sources)
    long = [i for i, source in enumerate(sources) if len(source.split()) >= least]
    wrong = [i for i in long if found[i].words not in map(d2l.tokenize, right[i])]
    drawn = random.Random(0).sample(wrong, number)
    counts = Counter(word for pair in split.train for word in d2l.tokenize(pair.source))
    seen = set(random.Random(0).sample(list(train), len(test)))
    scores = {
        "trained on": d2l.evaluate(model, [pair for pair in split.train if pair.source in seen]),
        "unseen": d2l.evaluate(model, split.test),
    }
    names = ("bleu", "interval", "exact", "loss", "sentences")
    return {
        "long": len(long),
        "wrong": len(wrong),
        "errors": [
            {
                "source": sources[i],
                "references": right[i],
                "translation": found[i].text,
                "rarest": min(((w, counts[w]) for w in found[i].source_words), key=itemgetter(1)),
            }
            for i in drawn
        ],
        "scores": {part: {name: one[name] for name in names} for part, one in scores.items()},
    }


def sentence_counts(model: d2l.EncoderDecoder, pairs: list[d2l.Pair]) -> list[list[int]]:
    """For each source what BLEU counts: n-grams of 1 to 4 words that agree with a reference, all
    n-grams of 1 to 4 words, the translation's length, and that of the closest reference."""
    test = by_source(pairs)
    metric = BLEU(lowercase=True, effective_order=True)
    found = d2l.translate(model, list(test))
    parts = [
        metric.sentence_score(one.text, right)
        for one, right in zip(found, test.values(), strict=True)
    ]
    return [[*part.counts, *part.totals, part.sys_len, part.ref_len] for part in parts]
