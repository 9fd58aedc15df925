"""Four families in one fair table: rnn, rnn-attention, conv, transformer.

In each corpus all see the same split and the same tokens as often, and their numbers of parameters
are within 10 % of their mean. On `mini-fra-long` and `fra-eng-long` the two RNNs have been trained
already, by `contexts`, and on `fra-eng`, the first 50,000 lines, rnn-attention has, by `fra_eng`:
`ELSEWHERE` says where their records are. What training and translating cost is measured at the
sizes of the last corpus, each family in a process of its own, one after the other.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import cycle, islice, product
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import contexts
import fra_eng
import torch
from train import defaults, ship, train

import d2l_lite as d2l

HERE = Path(__file__).parent
RECORDS = HERE / "families.jsonl"
COSTS = HERE / "families_costs.json"
SEEDS = range(3)
CORPORA = ("mini-fra-long", "fra-eng-long", "fra-eng")
FAMILIES = ("rnn", "rnn-attention", "conv", "transformer")
# What differs from the settings of `contexts`, or on fra-eng from the defaults.
SETTINGS = {
    "mini-fra-long/conv": {
        "sizes": {"embed_size": 64, "hidden_size": 88, "num_layers": 3, "dropout": 0.1},
        "training": {"epochs": 16, "lr": 0.003},
    },
    "mini-fra-long/transformer": {
        "sizes": {"width": 80, "feed_forward_size": 256, "num_layers": 2, "dropout": 0.1},
        "training": {"epochs": 16, "lr": 0.003},
    },
    "fra-eng-long/conv": {
        "sizes": {"embed_size": 112, "hidden_size": 128, "num_layers": 3, "dropout": 0.2},
        "training": {"epochs": 10, "lr": 0.003},
    },
    "fra-eng-long/transformer": {
        "sizes": {"width": 112, "feed_forward_size": 224, "num_layers": 3, "dropout": 0.2},
        "training": {"epochs": 10, "lr": 0.003},
    },
    "fra-eng/rnn": {},
    "fra-eng/conv": {},
    "fra-eng/transformer": {},
}
# Corpus and family -> where the records of runs with the same split and budget are.
ELSEWHERE = {
    "mini-fra-long/rnn": (contexts.RECORDS, "mini-fra-long/fixed-last"),
    "mini-fra-long/rnn-attention": (contexts.RECORDS, "mini-fra-long/additive-after"),
    "fra-eng-long/rnn": (contexts.RECORDS, "fra-eng-long/fixed-last"),
    "fra-eng-long/rnn-attention": (contexts.RECORDS, "fra-eng-long/additive-after"),
    "fra-eng/rnn-attention": (fra_eng.RECORDS, "rnn-attention"),
}
# The models of these runs ship with the book.
SHIPPED = {
    "mini-fra-long/conv": "mini-fra-long-conv",
    "mini-fra-long/transformer": "mini-fra-long-transformer",
}
STEPS, SENTENCES, TIMES = 20, 256, 3  # of each family, for the costs


def runs() -> list[tuple[str, int]]:
    """All runs as (name, seed), every corpus and family with its first seed before the second."""
    return [(name, seed) for seed, name in product(SEEDS, SETTINGS)]


def split(corpus: str) -> d2l.Split:
    return fra_eng.split() if corpus == "fra-eng" else contexts.split(corpus)


def settings_of(name: str) -> dict:
    """Sizes, batch_size, training, min_count and bins of a run."""
    corpus, family = name.split("/")
    if corpus == "fra-eng":
        return {**defaults(family), "bins": ((1, 3), (4, 5), (6, 7))}
    return {**contexts.CORPORA[corpus], **SETTINGS[name]}


def run(name: str, seed: int, folder: Path) -> dict:
    """Train one model in `folder`, or go on with it there, and score it; returns the record."""
    corpus, family = name.split("/")
    settings, parts = settings_of(name), split(corpus)
    about = {"data": corpus, "seed": seed}
    model, trained = train(partial(d2l.build_model, family), parts, settings, folder, about)
    if seed == 0 and name in SHIPPED:
        ship(folder, SHIPPED[name])
    measured = contexts.measure(model, parts.test, settings["bins"])
    return {"name": name, "seed": seed, **trained, **measured, "every": every_aer(model, parts)}


def every_aer(model: d2l.EncoderDecoder, parts: d2l.Split) -> list[float] | None:
    """The alignment error rate of each block or head by itself, where there is gold."""
    gold = [pair for pair in parts.test if pair.alignment]
    weights = d2l.forced_weights(model, gold, every=True) if gold else None
    if weights is None:
        return None
    links = [pair.alignment for pair in gold]
    heads = zip(*(maps.numpy() for maps in weights), strict=True)
    return [d2l.alignment_error_rate(rows, links) for rows in heads]


def prepare() -> None:
    """Say now, and not an hour later, that a corpus is missing."""
    for corpus in CORPORA:
        split(corpus)


def finish(folder_of: Callable[[str, int], Path]) -> None:
    """Measure the costs, round after round, so that a busy moment does not fall on one family."""
    rounds = {family: [] for family in FAMILIES}
    for family, found in islice(cycle(rounds.items()), TIMES * len(FAMILIES)):
        # A process for each, since the most memory that it has used is the process's.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            found.append(pool.submit(cost, family).result())
    costs = {
        family: {name: median(each[name] for each in found) for name in found[0]}
        for family, found in rounds.items()
    }
    COSTS.write_text(json.dumps(costs, indent=1) + "\n", encoding="utf-8")


def cost(family: str) -> dict[str, float]:
    """Target words a second in training and in greedy translation, on one thread; memory in MB.

    The model is at its defaults and has seen the same few batches twice. What it then writes is
    poor; its words are counted, and `<eos>` as one.
    """
    torch.set_num_threads(1)
    parts = split("fra-eng")
    vocabs = d2l.build_vocabs(parts.train, min_count=2)
    torch.manual_seed(0)
    model = d2l.build_model(family, *vocabs)
    before = peak_memory()
    batches = list(islice(d2l.Batches(parts.train, *vocabs, 128, seed=0), STEPS))
    words = int(sum((batch.tgt_len - 1).sum() for batch in batches))
    config = d2l.TrainConfig(epochs=2, progress=False, device="cpu")
    trained = d2l.fit(model, batches, config)  # the first epoch warms up
    memory = peak_memory() - before
    sources = [pair.source for pair in parts.test[:SENTENCES]]
    seconds = time.perf_counter()
    found = d2l.translate(model, sources)
    seconds = time.perf_counter() - seconds
    return {
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "train_words_per_second": words / trained["seconds"][-1],
        "words_per_second": sum(len(one.words) + 1 for one in found) / seconds,
        "megabytes": memory,
    }


def peak_memory() -> float:
    """The most memory that this process has held so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6
