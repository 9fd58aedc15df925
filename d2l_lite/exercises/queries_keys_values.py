"""Checkers of the exercises of "Queries, keys, values"."""

from collections.abc import Callable

import torch
from torch import Tensor

from d2l_lite.exercises.checking import Right, WrongAnswer, check_function, check_prediction


def check_shapes(shapes: dict[str, tuple[int, ...]]) -> Right:
    """Shapes of scores, weights and contexts: 5 queries (3), 7 keys (3) and values (4)."""
    scores = torch.zeros(5, 3) @ torch.zeros(7, 3).T  # (T, S)
    contexts = scores.softmax(dim=-1) @ torch.zeros(7, 4)  # (T, Dv)
    tensors = (scores, scores, contexts, scores[0], contexts[0])
    table = "Queries are rows and keys are columns."
    blend = "There is a context for each query. It is a blend of values: whose size has it?"
    names = ("scores", "weights", "contexts")
    names = [f"{name} of all queries" for name in names]
    names += ["weights of one query", "context of one query"]
    truth = {name: tuple(tensor.shape) for name, tensor in zip(names, tensors, strict=True)}
    row = "One query shares out 1 among all keys."
    hints = dict(zip(names, (table, table, blend, row, blend), strict=True))
    return check_prediction(shapes, truth, hints, praise="All five.")


def check_by_hand(answer: dict) -> Right:
    """`weights` (a list of 4) and `context` (a number) for scores 0, 0, ln 2, ln 4."""
    weights = torch.tensor([1.0, 1.0, 2.0, 4.0]).log().softmax(dim=-1)
    context = weights @ torch.tensor([8.0, 0.0, 4.0, 2.0])
    hints = {
        "weights": {
            (1, 1, 2, 4): "These are the powers of e. Shares sum to 1: divide by the sum.",
            None: "Take e to the power of each score, then divide by the sum of the four.",
        },
        "context": {
            3.5: "That is the plain mean of the values; each counts as much as its weight.",
            None: "Multiply each value by its weight and add up: it lies between 0 and 8.",
        },
    }
    truth = {"weights": weights.tolist(), "context": context.item()}
    return check_prediction(answer, truth, hints, 0.006, "No calculator needed.")


def check_plane_kernel(function: Callable[[Tensor, Tensor, float], Tensor]) -> Right:
    """A function of queries (T, 2), keys (S, 2) and a bandwidth that gives weights (T, S)."""

    def scores(queries, keys, bandwidth, power=2):
        return -(torch.cdist(queries, keys) ** power) / (2 * bandwidth**2)

    mistakes = {
        "Far keys get more weight: a minus sign is missing.": lambda *x: (-scores(*x)).softmax(-1),
        "The distances are not squared.": lambda q, k, h: scores(q, k, h, 1).softmax(-1),
        "A forgotten scale: the bandwidth is not squared.": (
            lambda q, k, h: scores(q, k, h**0.5).softmax(-1)
        ),
        "A forgotten scale: the 2 of the formula.": lambda *x: (2 * scores(*x)).softmax(-1),
        "`/ 2 * h**2` divides by 2 and then *multiplies*: brackets are missing.": (
            lambda q, k, h: scores(q, k, 1 / h).softmax(-1)
        ),
        "The wrong axis: the weights of a query sum to 1.": lambda *x: scores(*x).softmax(0),
        "These are the powers of e; they do not sum to 1 yet.": lambda *x: scores(*x).exp(),
        "These are the scores; the softmax is missing.": scores,
    }
    keys = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, -2.0]])
    cases = [(torch.tensor([[2.0, 1.0], [0.0, 0.0]]), keys, h) for h in (2.0, 0.7)]
    return check_function(function, lambda *x: scores(*x).softmax(-1), cases, mistakes)


def check_mended(function: Callable[[Tensor], Tensor]) -> Right:
    """A softmax over the last axis of scores (T, S) that holds for large scores too."""

    def shifted(scores, shift=0.0):
        powers = (scores - shift).exp()
        return powers / powers.sum(dim=-1, keepdim=True)

    mistakes = {
        "e to the power of 1000 is infinite, and infinity divided by itself is NaN.": shifted,
        "One constant for all rows: a row far below it has the sum 0. Each row needs its own.": (
            lambda x: shifted(x, x.max())
        ),
        "A row's mean is no limit: one score far above the others is still too large.": (
            lambda x: shifted(x, x.mean(-1, keepdim=True))
        ),
        "A limit hides the differences beyond it.": lambda x: x.clamp(max=80).softmax(-1),
        "The wrong axis: each row sums to 1.": lambda x: x.softmax(0),
    }
    rows = ([[1.0, 2.0], [3.0, 0.0]], [[1000.0, 999.0]], [[500.0, 501.0], [-500.0, -501.0]])
    cases = [(torch.tensor(scores),) for scores in (*rows, [[80.0, -100.0, -100.0]])]
    return check_function(function, lambda x: x.softmax(-1), cases, mistakes, "It holds now.")


def check_score_needed(function: Callable[[int], float]) -> Right:
    """A function n -> the score that gives one key half the weight beside n keys of score 0."""
    for others in (1, 10, 100, 1000):
        score = function(others)
        if not isinstance(score, int | float | Tensor):
            raise WrongAnswer(f"A number is wanted for n = {others}, not {score!r}.")
        weight = torch.tensor([float(score)] + [0.0] * others).softmax(dim=-1)[0].item()
        if abs(weight - 0.5) > 0.005:
            told = "too little: the crowd outweighs it" if weight < 0.5 else "too much"
            raise WrongAnswer(f"Beside n = {others}, score {score:g} gets {weight:.3f}, {told}.")
    return Right("The score has to grow, and slowly.")
