"""Does attention help, and does it look where it should? Twelve decoders with equal budgets.

They differ in one thing: what the decoder learns of the source. Three have a fixed context, one
attends as the source text's code does, without the tanh, and eight attend with the four scoring
functions, asking before or after they read their word. On `mini-fra-long` (1 to 30 words, gold
links) all twelve, on `fra-eng-long` (5 to 12 words, 30,000 training pairs) nine.
"""

import random
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from train import ship, train

import d2l_lite as d2l

HERE = Path(__file__).parent
RECORDS = HERE / "contexts.jsonl"
SCORES = ("additive", "dot", "scaled-dot", "bilinear")
FIXED = {f"fixed-{context}": {"context": context} for context in ("start", "last", "mean")}
AFTER = {f"{score}-after": {"attention": score, "query": "after"} for score in SCORES}
BEFORE = {f"{score}-before": {"attention": score, "query": "before"} for score in SCORES}
WITHOUT_TANH = {"without-tanh": BEFORE["additive-before"]}
VARIANTS = {**FIXED, **WITHOUT_TANH, **AFTER, **BEFORE}
LONG = [*FIXED, *WITHOUT_TANH, *AFTER, "additive-before"]

# Sizes, batch size, training, the least count of a word, bins of source lengths, test sentences.
CORPORA = {
    "mini-fra-long": {
        "names": list(VARIANTS),
        "seeds": range(5),
        "sizes": {"embed_size": 64, "hidden_size": 160, "dropout": 0.2},
        "batch_size": 64,
        "training": {"epochs": 16, "lr": 0.004},
        "min_count": 1,
        "bins": ((1, 5), (6, 10), (11, 15), (16, 20), (21, 25), (26, 30)),
    },
    "fra-eng-long": {
        "names": LONG,
        "seeds": range(3),
        "sizes": {"embed_size": 128, "hidden_size": 192, "dropout": 0.3},
        "batch_size": 128,
        "training": {"epochs": 10, "lr": 0.004},
        "min_count": 2,
        "bins": ((5, 6), (7, 8), (9, 10), (11, 12)),
    },
}
# Test sentences of mini-fra-long whose weights are recorded, for the first seed: an adjective that
# moves, a pronoun that moves, a negation in two parts, two clauses.
EXAMPLES = (
    "I am looking at the white cat.",
    "Tom isn't talking to them.",
    "Lucy didn't wash this hat.",
    "Paul bought a book and he lost it.",
)
# The models of these runs ship with the book.
SHIPPED = {
    "mini-fra-long/fixed-last": "mini-fra-long-rnn",
    "mini-fra-long/additive-after": "mini-fra-long-rnn-attention",
}


class WithoutTanh(d2l.AdditiveAttention):
    """Additive attention as in the source text's code: the query cancels in the softmax."""

    def score(self, query: Tensor, projected_key: Tensor) -> Tensor:
        return self.v(self.W_q(query).unsqueeze(2) + projected_key.unsqueeze(1)).squeeze(-1)


def runs() -> list[tuple[str, int]]:
    """All runs as (name, seed), every corpus and variant with its first seed before the second."""
    found = [
        (seed, f"{corpus}/{name}")
        for corpus, settings in CORPORA.items()
        for name in settings["names"]
        for seed in settings["seeds"]
    ]
    return [(name, seed) for seed, name in sorted(found, key=lambda run: run[0])]


@cache
def split(corpus: str) -> d2l.Split:
    """The parts of a corpus; of fra-eng-long 30,000 training and 600 validation pairs, drawn."""
    if corpus == "mini-fra-long":
        return d2l.split_pairs(d2l.load_pairs(corpus))
    whole = d2l.split_pairs(d2l.load_pairs("fra-eng", min_len=5, max_len=12))
    return whole._replace(
        train=random.Random(0).sample(whole.train, 30_000),
        valid=random.Random(1).sample(whole.valid, 600),
    )


def build(variant: str, *vocabs: d2l.Vocab, **sizes: Any) -> d2l.EncoderDecoder:
    """A new model of a variant."""
    kind = "rnn" if variant in FIXED else "rnn-attention"
    model = d2l.build_model(kind, *vocabs, **sizes, **VARIANTS[variant])
    if variant in WITHOUT_TANH:
        model.decoder.attention.__class__ = WithoutTanh  # the same layers, another score
    return model


def run(name: str, seed: int, folder: Path) -> dict:
    """Train one model in `folder`, or go on with it there, and score it; returns the record."""
    corpus, variant = name.split("/")
    settings, parts = CORPORA[corpus], split(corpus)
    about = {"data": corpus, "seed": seed}
    model, trained = train(partial(build, variant), parts, settings, folder, about)
    if seed == 0 and name in SHIPPED:
        ship(folder, SHIPPED[name])
    shows = seed == 0 and corpus == "mini-fra-long"
    return {
        "name": name,
        "seed": seed,
        **trained,
        **measure(model, parts.test, settings["bins"]),
        "examples": examples(model, parts.test) if shows else None,
    }


def examples(model: d2l.EncoderDecoder, pairs: list[d2l.Pair]) -> dict | None:
    """The weights (T, S) of the sentences in `EXAMPLES` while the decoder reads the reference."""
    chosen = [pair for pair in pairs if pair.source in EXAMPLES]
    weights = d2l.forced_weights(model, chosen)
    if weights is None:
        return None
    rounded = [[[round(w, 3) for w in row] for row in rows.tolist()] for rows in weights]
    return dict(zip((pair.source for pair in chosen), rounded, strict=True))


def measure(model: d2l.EncoderDecoder, pairs: list[d2l.Pair], bins) -> dict:
    """Scores on all pairs and on those of each length, and what the weights do."""
    lengths = [len(d2l.tokenize(pair.source)) for pair in pairs]
    by_length = []
    for low, high in bins:
        some = [pair for pair, n in zip(pairs, lengths, strict=True) if low <= n <= high]
        scores = d2l.evaluate(model, some)
        kept = {name: scores[name] for name in ("bleu", "interval", "exact", "loss", "sentences")}
        by_length.append({"words": [low, high], **kept})
    weights = d2l.forced_weights(model, pairs)
    return {
        "scores": d2l.evaluate(model, pairs),
        "by_length": by_length,
        "query_effect": None if weights is None else query_effect(weights),
        "aer_shifted": None if weights is None else shifted(weights, pairs),
    }


def query_effect(weights: list[Tensor]) -> float:
    """How far the weights of a target word are from the mean of its sentence's, on average.

    It is 0 where the weights do not depend on the query.
    """
    return float(np.mean([(rows - rows.mean(dim=0)).abs().sum(dim=1).mean() for rows in weights]))


def shifted(weights: list[Tensor], pairs: list[d2l.Pair]) -> dict[str, float] | None:
    """The alignment error rate if the weights of step t are held to be those of word t + shift."""
    rated = [(w.numpy(), p.alignment) for w, p in zip(weights, pairs, strict=True) if p.alignment]
    rates = {}
    for shift in (-1, 0, 1) if rated else ():
        rows, gold = [], []
        for matrix, links in rated:
            first, end = max(0, -shift), len(matrix) - max(0, shift)  # steps that have such a word
            rows.append(matrix[first:end])
            moved = ((s, t - shift) for s, t in links)
            gold.append([(s, step - first) for s, step in moved if first <= step < end])
        rates[str(shift)] = d2l.alignment_error_rate(rows, gold)
    return rates or None


def prepare() -> None:
    """Say now, and not an hour later, that a corpus is missing."""
    for corpus in CORPORA:
        split(corpus)


def finish(folder_of: Callable[[str, int], Path]) -> None:
    """Nothing is left to do: all that the book shows is in the records."""


def fast() -> dict[str, float | None]:
    """Every variant in small, some seconds together; returns each one's `query_effect`.

    Raises:
        RuntimeError: the weights of an attention with its tanh do not depend on the query, or
            those without it do.
    """
    pairs = d2l.load_pairs("mini-fra-long", max_len=8)[:320]
    train, test = pairs[:256], pairs[256:]
    vocabs, effects = d2l.build_vocabs(train), {}
    config = d2l.TrainConfig(epochs=2, lr=0.01, progress=False)
    for name in VARIANTS:
        torch.manual_seed(0)
        model = build(name, *vocabs, embed_size=16, hidden_size=32, dropout=0.0)
        d2l.fit(model, d2l.Batches(train, *vocabs, batch_size=32), config)
        effects[name] = measure(model, test, ((1, 8),))["query_effect"]
        print(f"{name}: {effects[name]}")
    for name, effect in effects.items():
        if name not in FIXED and (effect > 1e-4) != (name not in WITHOUT_TANH):
            verdict = "depend" if effect > 1e-4 else "do not depend"
            raise RuntimeError(f"{name}: the weights {verdict} on the query (by {effect:.2g})")
    return effects
