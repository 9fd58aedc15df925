"""Plausible wrong answers to the exercises of "Queries, keys, values"."""

import math

import torch

SHAPES = {
    "scores of all queries": (5, 7),
    "weights of all queries": (5, 7),
    "contexts of all queries": (5, 4),
    "weights of one query": (7,),
    "context of one query": (4,),
}
EIGHTHS = [1 / 8, 1 / 8, 2 / 8, 4 / 8]


def gaps(queries, keys):
    return queries[:, None] - keys


def one_shift(scores):
    powers = (scores - scores.max()).exp()
    return powers / powers.sum(dim=-1, keepdim=True)


def mean_shift(scores):
    powers = (scores - scores.mean(dim=-1, keepdim=True)).exp()
    return powers / powers.sum(dim=-1, keepdim=True)


def shift_in_place(scores):
    scores -= scores.amax(dim=-1, keepdim=True)
    return one_shift(scores)


WRONG = {
    "check_shapes": [
        ({**SHAPES, "scores of all queries": (7, 5)}, "Queries are rows"),
        ({**SHAPES, "contexts of all queries": (5, 3)}, "blend of values"),
        ({**SHAPES, "contexts of all queries": (7, 4)}, "a context for each query"),
        ({**SHAPES, "weights of one query": (5,)}, "among all keys"),
        ({**SHAPES, "context of one query": (7, 4)}, "blend of values"),
    ],
    "check_by_hand": [
        ({"weights": [1, 1, 2, 4], "context": 3}, "Shares sum to 1"),
        ({"weights": [0.25, 0.25, 0.25, 0.25], "context": 3.5}, "power of each score"),
        ({"weights": EIGHTHS, "context": 3.5}, "plain mean"),
        ({"weights": EIGHTHS, "context": 24}, "between 0 and 8"),
    ],
    "check_plane_kernel": [
        (lambda q, k, h: (gaps(q, k).square().sum(-1) / (2 * h**2)).softmax(-1), "minus sign"),
        (lambda q, k, h: (-gaps(q, k).norm(dim=-1) / (2 * h**2)).softmax(-1), "not squared"),
        (
            lambda q, k, h: (-gaps(q, k).square().sum(-1) / (2 * h)).softmax(-1),
            "bandwidth is not squared",
        ),
        (lambda q, k, h: (-gaps(q, k).square().sum(-1) / (2 * h**2)).softmax(0), "wrong axis"),
        (lambda q, k, h: (-gaps(q, k).square() / (2 * h**2)).softmax(-1), "The shape is"),
        (lambda q, k, h: -gaps(q, k).square().sum(-1) / (2 * h**2), "softmax is missing"),
        (lambda q, k, h: (-gaps(q, k).square().sum(-1) / 2 * h**2).softmax(-1), "brackets"),
        (lambda q, k, h: (-gaps(q, k).square().sum(-1) / (2 * h**2)).exp(), "powers of e"),
    ],
    "check_mended": [
        (lambda scores: scores.exp() / scores.exp().sum(-1, keepdim=True), "infinite"),
        (one_shift, "One constant for all rows"),
        (mean_shift, "mean is no limit"),
        (shift_in_place, "in place"),
        (lambda scores: scores.softmax(0), "wrong axis"),
        (lambda scores: scores.clamp(max=80).softmax(-1), "hides the differences"),
    ],
    "check_score_needed": [
        (lambda n: 2.0, "too much"),
        (lambda n: math.log10(n), "too little"),
        (lambda n: n - 1.0, "too much"),
        (lambda n: torch.tensor(n + 1.0).log(), "too much"),
        (lambda n: None, "A number is wanted"),
    ],
}
