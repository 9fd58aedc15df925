"""What the benchmarks share: data, clocks, and things measured in turns."""

import sys
import time
from collections.abc import Callable
from functools import cache
from statistics import median

import torch

from d2l_lite import Pair, Vocab, build_vocabs, load_pairs
from d2l_lite.data import find_fra_eng


def say(text: str) -> None:
    """Progress, for whoever waits."""
    print(text, file=sys.stderr, flush=True)


@cache
def text_data(fast: bool = False) -> tuple[str, list[Pair], tuple[Vocab, Vocab]]:
    """The source text's data: the first 50,000 lines of fra-eng, or the built-in corpus.

    Returns:
        What it is called, all its pairs, and vocabularies of the words seen three times or more.
    """
    if find_fra_eng() and not fast:
        name, pairs = "first 50,000 lines of fra-eng", load_pairs("fra-eng", 50_000)
    else:
        name, pairs = "mini-fra-long", load_pairs("mini-fra-long", 200 if fast else None)
    return name, pairs, build_vocabs(pairs, min_count=1 if fast else 3)


def sample(pairs: list[Pair], count: int, seed: int = 0) -> list[Pair]:
    """Some of the pairs, drawn by chance."""
    generator = torch.Generator().manual_seed(seed)
    return [pairs[i] for i in torch.randperm(len(pairs), generator=generator)[:count].tolist()]


def clock(device: str) -> float:
    """Seconds, when all that the device was asked for is done."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def seconds(work: Callable[[], object], device: str) -> float:
    start = clock(device)
    work()
    return clock(device) - start


def in_turns(works: dict[str, Callable[[], object]], device: str, turns: int) -> dict[str, float]:
    """The median seconds of each, taken in turns after one turn that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(turns + 1):
        for name, work in works.items():
            found = seconds(work, device)
            if turn:
                taken[name].append(found)
    return {name: median(found) for name, found in taken.items()}
