"""How many threads work: for small matrices waiting for each other costs more than it brings."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_before: list[int] = []  # how many threads there were, while there is one


@contextmanager
def one_thread(small: bool) -> Iterator[None]:
    """If `small`, work on one thread; afterwards there are as many as before."""
    _before.append(torch.get_num_threads())
    try:
        if small:
            torch.set_num_threads(1)
        yield
    finally:
        torch.set_num_threads(_before.pop())


@contextmanager
def all_threads() -> Iterator[None]:
    """Amid `one_thread`: all that there were."""
    now = torch.get_num_threads()
    try:
        torch.set_num_threads(max([now, *_before]))
        yield
    finally:
        torch.set_num_threads(now)
