"""Loading: all pairs of the corpus, from the file to batches, against the plain form.

The plain form does the same a sentence at a time with one regular expression over the whole of it,
once for the vocabularies and once more for the batches, and keeps the rows as lists.
"""

import unicodedata
from collections.abc import Callable

import torch

from benchmarks.common import in_turns, say
from d2l_lite import (
    BOS,
    EOS,
    Batches,
    Pair,
    Vocab,
    build_vocabs,
    load_pairs,
    split_of,
    split_pairs,
)
from d2l_lite.data import find_fra_eng
from d2l_lite.vocab import TOKEN


def measure(device: str = "cpu", fast: bool = False) -> dict[str, float | str]:
    """Seconds, medians, for loading, splitting, vocabularies and batches, plain and ours.

    All of it is done on the processor, whatever the device.
    """
    corpus = "fra-eng" if find_fra_eng() else "mini-fra-long"
    count = 200 if fast else None
    pairs = load_pairs(corpus, count)
    train = split_pairs(pairs).train
    vocabs = build_vocabs(train)
    say(f"loading: {len(pairs)} pairs of {corpus}, plain and ours")
    works: dict[str, Callable[[], object]] = {
        "load": lambda: load_pairs(corpus, count),
        "split": lambda: split_pairs(pairs),
        "vocabularies": lambda: build_vocabs(train),
        "batches": lambda: Batches(pairs, *vocabs),
        "all": lambda: ours(corpus, count),
        "plain": lambda: plain(corpus, count),
    }
    taken = in_turns(works, "cpu", 1 if fast else 3)
    plain_seconds = taken.pop("plain")
    found: dict[str, float | str] = {"corpus": corpus, "pairs": len(pairs)}
    found |= {f"{name}_seconds": number for name, number in taken.items()}
    return found | {"plain_seconds": plain_seconds, "ratio": plain_seconds / taken["all"]}


def ours(corpus: str, count: int | None) -> tuple[torch.Tensor, ...]:
    """The numbers of every source word, and of every target word."""
    pairs = load_pairs(corpus, count)
    batches = Batches(pairs, *build_vocabs(split_pairs(pairs).train))
    return batches.src.numbers, batches.tgt.numbers


def plain(corpus: str, count: int | None) -> tuple[torch.Tensor, ...]:
    """The same numbers."""
    pairs = load_pairs(corpus, count)
    train = [pair for pair in pairs if split_of(pair.source) == "train"]
    return tuple(_numbers(pairs, train, side) for side in (0, 1))


def _numbers(pairs: list[Pair], train: list[Pair], side: int) -> torch.Tensor:
    vocab = Vocab.build([_words(pair[side]) for pair in train])
    rows = [vocab.encode(_words(pair[side])) for pair in pairs]
    if side == 1:
        rows = [[BOS, *row, EOS] for row in rows]
    return torch.tensor([number for row in rows for number in row])


def _words(text: str) -> list[str]:
    return TOKEN.findall(unicodedata.normalize("NFC", text.lower()).replace("’", "'"))
