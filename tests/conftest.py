"""Shared by all tests: figures go nowhere, torch keeps to one thread, random numbers repeat."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest
import torch
from hypothesis import settings

settings.register_profile("book", max_examples=30, deadline=None)
settings.load_profile("book")
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")
