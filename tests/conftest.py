"""Shared by all tests: figures go nowhere, torch keeps to one thread, random numbers repeat."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest
import torch
from hypothesis import settings

from d2l_lite import BOS, EOS, Batch
from d2l_lite.data import pad

settings.register_profile("book", max_examples=20, deadline=None)
settings.load_profile("book")
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def random_batch():
    """A function: lengths of sources and targets (without `<bos>`, `<eos>`) -> random `Batch`."""

    def words(count, vocab_size):
        return torch.randint(4, vocab_size, (count,)).tolist()

    def make(src_lengths, tgt_lengths, vocab_size=11):
        src = [words(length, vocab_size) for length in src_lengths]
        tgt = [[BOS, *words(length, vocab_size), EOS] for length in tgt_lengths]
        return Batch(*pad(src), *pad(tgt))

    return make
