"""Checkers of the chapter on batch matrix products."""

from collections.abc import Callable

import torch
from torch import einsum
from torch.utils.flop_counter import FlopCounterMode

from d2l_lite.attention import DotAttention
from d2l_lite.exercises.checking import Right, WrongAnswer, check_function, check_prediction


def check_shapes(prediction: dict) -> Right:
    """Shapes of five products of a (2, 3, 4), b (2, 4, 5) and c (4, 5): tuples, or "error"."""
    names = {"torch": torch, "a": torch.ones(2, 3, 4), "b": torch.ones(2, 4, 5)}
    names["c"] = torch.ones(4, 5)
    hints = {
        "a @ b": "The axis of size 4, which both have, is summed away.",
        "a @ c": "@ broadcasts: how often can one matrix be used?",
        "torch.bmm(a, c)": "How many axes does bmm insist on?",
        "torch.einsum('bnm,bmk->nk', a, b)": "Two letters are missing from the output.",
        "torch.einsum('bnm,bmk->bnmk', a, b)": "No letter is missing, so nothing is summed.",
    }

    def shape(expression):
        try:
            return eval(expression, names).shape
        except RuntimeError:
            return "error"

    return check_prediction(prediction, {e: shape(e) for e in hints}, hints, praise="All five.")


def check_scores(function) -> Right:
    """Dot products of all queries and keys: (B, T, D), (B, S, D) -> (B, T, S)."""
    formulas = {
        "A row is wanted for each query, not for each key.": "btd,bsd->bst",
        "Each query met the keys of all sentences: the batch is summed over.": "btd,csd->bts",
        "Nothing is summed: the letter of the vectors' own axis must go.": "btd,bsd->btsd",
        "A query's numbers must meet a key's in the same order.": "btd,bse->bts",
    }
    mistakes: dict[str, Callable] = {
        hint: lambda q, k, by=by: einsum(by, q, k) for hint, by in formulas.items()
    }
    mistakes["The keys were cut up anew, not turned around: their numbers got mixed."] = (
        lambda q, k: q @ k.reshape(len(k), k.shape[2], k.shape[1])
    )
    small = torch.tensor([[[1.0, 0.0]]]), torch.arange(1.0, 7.0).view(1, 3, 2)
    torch.manual_seed(1)
    cases = [small, (torch.randn(2, 3, 4), torch.randn(2, 5, 4))]
    return check_function(function, lambda q, k: q @ k.mT, cases, mistakes, "In one line.")


def check_revealing(function) -> Right:
    """`function()` gives a query (1, 1, 2) and a key (1, 2, 2) whose wrong scores can be seen."""
    query, key = function()
    if query.shape != (1, 1, 2) or key.shape != (1, 2, 2):
        shapes = f"{tuple(query.shape)} and {tuple(key.shape)}"
        raise WrongAnswer(f"The shapes should be (1, 1, 2) and (1, 2, 2), not {shapes}.")
    right, wrong = (query @ key.mT).flatten(), (query @ key.reshape(1, 2, 2)).flatten()
    if torch.allclose(right, wrong):
        why = "These keys would do, but this query does not tell them apart."
        if torch.equal(key, key.mT):
            why = "Turned around, this key matrix stays as it is: its corners are equal."
        raise WrongAnswer(f"Both ways give {right.tolist()}. {why}")
    return Right(f"{right.tolist()} is right, and the colleague's is {wrong.tolist()}.")


def check_growth(prediction: dict) -> Right:
    """By which factor each cost of self-attention grows, measured on a layer; numbers."""

    def cost(n, D):
        x = torch.ones(1, n, D)
        with FlopCounterMode(display=False) as counter:
            context, weights = DotAttention()(x, x, x)
        return counter.get_total_flops(), weights.numel(), context.numel()

    names = ["multiplications", "weights", "contexts"]
    truth = {
        f"{name}, {what} doubled": new / old
        for what, sizes in {"n": (16, 8), "D": (8, 16)}.items()
        for name, new, old in zip(names, cost(*sizes), cost(8, 8), strict=True)
    }
    hint = "Write down its axes: how often is the one that doubles among them?"
    return check_prediction(prediction, truth, dict.fromkeys(truth, hint), praise="All six.")
