"""Plausible wrong answers to the exercises on the four scoring functions."""

import math

import torch

PARAMETERS = {"dot": "error", "scaled dot": "error", "bilinear": 24, "additive": 88}
EXTRAS = {
    "q @ W @ k + u @ q": "stay",
    "q @ W @ k + u @ k": "change",
    "q @ (W @ k + u)": "stay",
    "(q + u) @ W @ k": "change",
    "v @ tanh(q + k) + 1": "stay",
    "v @ tanh(q + k + u)": "change",
}


def share(best, others, S):
    return math.exp(best) / (math.exp(best) + (S - 1) * math.exp(others))


WRONG = {
    "check_parameters": [
        (PARAMETERS | {"dot": 0}, "Which sizes"),
        (PARAMETERS | {"scaled dot": 0}, "Which sizes"),
        (PARAMETERS | {"bilinear": 30}, "no bias"),
        (PARAMETERS | {"additive": 80}, "v has parameters too"),
        (PARAMETERS | {"additive": 96}, "Two matrices"),
    ],
    "check_matrix": [
        (lambda d: torch.eye(d), "scale is forgotten"),
        (lambda d: torch.eye(d) / d, "not by its root"),
        (lambda d: torch.eye(d) * math.sqrt(d), "multiplies by the root"),
        (lambda d: torch.ones(d, d) / math.sqrt(d), "Off the diagonal"),
        (lambda d: torch.ones(d) / math.sqrt(d), r"shape is \(4,\)"),
    ],
    "check_ceiling": [
        (lambda v, S: share(float(v.abs().sum()), 0.0, S), "stay at 0"),
        (lambda v, S: share(float(v.sum()), -float(v.sum()), S), "may be negative"),
        (lambda v, S: share(float(v.abs().sum()), -float(v.abs().sum()), S + 1), "S - 1"),
        (lambda v, S: float(v.abs().sum()), "highest score"),
        (lambda v, S: ..., "dots"),
    ],
    "check_extras": [
        (EXTRAS | {"q @ W @ k + u @ q": "change"}, "same number for every key"),
        (EXTRAS | {"q @ (W @ k + u)": "change"}, "Multiply out"),
        (EXTRAS | {"(q + u) @ W @ k": "stay"}, "Multiply out"),
        (EXTRAS | {"v @ tanh(q + k + u)": "stay"}, "Inside a tanh"),
    ],
    "check_mended": [
        (lambda q, W, k: q @ W.T @ k.mT, "wrong way round"),
        (lambda q, W, k: q @ k.mT, "not used"),
        (lambda q, W, k: (q @ W @ k.mT).mT, "A row is wanted"),
        (lambda q, W, k: q @ W @ k, "fails with RuntimeError"),
    ],
}
