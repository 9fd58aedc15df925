"""Checkers of the chapter that sets the scoring functions side by side."""

from collections.abc import Callable
from typing import Any

import torch

from d2l_lite import attention
from d2l_lite.exercises.checking import Right, check_function, check_prediction


def check_parameters(prediction: dict) -> Right:
    """Parameters of each layer for queries of size 4, keys of size 6 and H = 8; or "error"."""
    layers = {
        "dot": attention.DotAttention(),
        "scaled dot": attention.ScaledDotAttention(),
        "bilinear": attention.BilinearAttention(4, 6),
        "additive": attention.AdditiveAttention(4, 6, hidden_size=8),
    }
    truth: dict[str, Any] = {}
    query, key = torch.ones(1, 2, 4), torch.ones(1, 3, 6)
    for name, layer in layers.items():
        try:
            layer(query, key, key)
            truth[name] = sum(parameter.numel() for parameter in layer.parameters())
        except ValueError:
            truth[name] = "error"
    hints: dict[str, Any] = dict.fromkeys(
        truth, "Which sizes may queries and keys have in a dot product?"
    )
    hints["bilinear"] = "One matrix, and no bias. Which two sizes does it join?"
    hints["additive"] = {80: "v has parameters too.", None: "Two matrices, a vector, no bias."}
    return check_prediction(prediction, truth, hints, praise="Counted on the layers.")


def check_matrix(function) -> Right:
    """d -> W (d, d), with which the bilinear score is the scaled dot product."""

    def right(d):  # the score of unit vectors i and j is W[i, j]
        units = torch.eye(d)[None]
        return attention.ScaledDotAttention().score(units, units)[0]

    mistakes: dict[str, Callable] = {
        "The scale is forgotten: this W gives the plain dot product.": torch.eye,
        "This divides by d, and not by its root.": lambda d: torch.eye(d) / d,
        "This multiplies by the root of d.": lambda d: torch.eye(d) * d**0.5,
        "Off the diagonal, W must be 0.": lambda d: torch.ones(d, d) / d**0.5,
    }
    return check_function(function, right, [(4,), (9,)], mistakes, "One more special case.")


def check_ceiling(function) -> Right:
    """v (H,), number of keys S -> the weight that no key can exceed, a number."""

    def share(best, others, S):
        scores = torch.tensor([best] + [others] * (S - 1))
        return scores.softmax(dim=0)[0].item()

    def right(v, S):
        return share(v.abs().sum(), -v.abs().sum(), S)

    mistakes = {
        "The other scores may sink as far as the best one rises; here they stay at 0.": (
            lambda v, S: share(v.abs().sum(), 0.0, S)
        ),
        "A tanh may be negative: a negative number in v can raise a score too.": lambda v, S: share(
            v.sum(), -v.sum(), S
        ),
        "S counts the best key as well: S - 1 others.": lambda v, S: right(v, S + 1),
        "That is the highest score. Which weight comes of it?": lambda v, S: v.abs().sum().item(),
    }
    cases = [(torch.tensor([1.0]), 10), (torch.tensor([1.0, -2.0]), 3)]
    return check_function(function, right, cases, mistakes, "No query gets beyond it.")


def check_extras(prediction: dict) -> Right:
    """Whether the weights "stay" or "change" when a score of the page gets something extra."""
    torch.manual_seed(1)
    queries, keys, (u, v) = torch.randn(3, 4), torch.randn(5, 4), torch.randn(2, 4)
    names = {"W": torch.randn(4, 4), "u": u, "v": v, "tanh": torch.tanh}
    bilinear = ("q @ W @ k + u @ q", "q @ W @ k + u @ k", "q @ (W @ k + u)", "(q + u) @ W @ k")
    extras = dict.fromkeys(bilinear, "q @ W @ k")
    extras |= dict.fromkeys(("v @ tanh(q + k) + 1", "v @ tanh(q + k + u)"), "v @ tanh(q + k)")

    def weights(score):
        rows = [[eval(score, names | {"q": q, "k": k}) for k in keys] for q in queries]
        return torch.tensor(rows).softmax(dim=-1)

    truth = {}
    for new, old in extras.items():
        truth[new] = "stay" if torch.allclose(weights(new), weights(old), atol=1e-5) else "change"
    hint = "Multiply out. Is what is new the same number for every key of a row?"
    hints = dict.fromkeys(truth, hint)
    hints["v @ tanh(q + k + u)"] = "Inside a tanh nothing can be multiplied out."
    return check_prediction(prediction, truth, hints, praise="Measured, and so.")


def check_mended(function) -> Right:
    """Query (B, T, Dq), W (Dq, Dk), key (B, S, Dk) -> bilinear scores (B, T, S)."""

    def right(query, W, key):
        return query @ W @ key.mT

    mistakes = {
        "W stands the wrong way round: a row of W belongs to a number of the query.": (
            lambda q, W, k: q @ W.T @ k.mT
        ),
        "W is not used: this is the dot product.": lambda q, W, k: q @ k.mT,
        "A row is wanted for each query, not for each key.": lambda q, W, k: right(q, W, k).mT,
    }
    torch.manual_seed(1)
    shift = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    cases = [
        (torch.tensor([[[1.0, 0.0]]]), shift, torch.eye(2)[None]),
        (torch.randn(2, 3, 4), torch.randn(4, 4), torch.randn(2, 5, 4)),
        (torch.randn(2, 3, 4), torch.randn(4, 6), torch.randn(2, 5, 6)),
    ]
    return check_function(function, right, cases, mistakes, "For two sizes as well.")
