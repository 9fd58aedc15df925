"""Plausible wrong answers to the exercises of "Masked softmax"."""

import torch

SHAPES = {
    "scores": (3, 5, 7),
    "mask from one length per sentence": (3, 1, 7),
    "mask from one length per query": (3, 5, 7),
    "causal mask over the 5 written words": (5, 5),
    "weights": (3, 5, 7),
}
ROWS = {
    "all four visible": [0.1, 0.3, 0.1, 0.5],
    "the first two visible": [0.25, 0.75, 0, 0],
    "the second and third visible": [0, 0.75, 0.25, 0],
    "none visible": [0, 0, 0, 0],
}


def gaps(size):
    return torch.arange(size)[:, None] - torch.arange(size)


def rescaled(scores, mask, **axis):
    weights = scores.softmax(-1) * mask
    return weights / weights.sum(**axis)


def filled_in_place(scores, mask):
    return scores.masked_fill_(~mask, -1e6).softmax(-1)


WRONG = {
    "check_shapes": [
        ({**SHAPES, "scores": (3, 7, 5)}, "in this order"),
        ({**SHAPES, "mask from one length per sentence": (3, 7)}, "axis of size 1"),
        ({**SHAPES, "causal mask over the 5 written words": (5, 7)}, "attend to one another"),
        ({**SHAPES, "causal mask over the 5 written words": (3, 5, 5)}, "in the same way"),
    ],
    "check_weights": [
        ({**ROWS, "all four visible": [0, 3, 0, 5]}, "e to the power"),
        ({**ROWS, "the first two visible": [0.1, 0.3, 0.1, 0.5]}, "hidden ones have a share"),
        ({**ROWS, "the first two visible": [0.1, 0.3, 0, 0]}, "no longer sum to 1"),
        ({**ROWS, "the second and third visible": [1 / 6, 0, 0, 5 / 6]}, "among the visible"),
        ({**ROWS, "none visible": [0.25, 0.25, 0.25, 0.25]}, "average of everything"),
    ],
    "check_window": [
        (lambda size, reach: gaps(size).abs() < reach, "Off by one"),
        (lambda size, reach: gaps(size) <= reach, "Too much on the right"),
        (lambda size, reach: (gaps(size) >= 0) & (gaps(size) <= reach), "to the right, too"),
        (lambda size, reach: gaps(size).abs() > reach, "wrong way round"),
        (lambda size, reach: gaps(size).abs(), "boolean"),
        (lambda size, reach: (gaps(size).abs() <= reach)[None], "The shape is"),
    ],
    "check_mended": [
        (lambda scores, mask: scores.softmax(-1) * mask, "a share to padding"),
        (rescaled, "each row by its own sum"),
        (lambda scores, mask: rescaled(scores, mask, dim=1, keepdim=True), "wrong axis"),
        (lambda scores, mask: (scores * mask).softmax(-1), "attended to"),
        (lambda scores, mask: (scores.softmax(-1) * mask).softmax(-1), "second softmax"),
        (filled_in_place, "in place"),
    ],
    "check_counterexample": [
        ([[0.0, 0.0, 0.0, 9.0]], "its own score is multiplied away"),
        ([[0.0, 0.0, 0.0, 0.0]], "gets 0.250"),
        ([[-50.0, -50.0, -50.0, 0.0]], "from -10 to 10"),
        ([[-5.0, -5.0, -5.0]], "Four scores"),
    ],
    "check_padding": [
        ({"at random": 0.5, "grouped": 0.1}, "divide once"),
        ({"at random": 12.3, "grouped": 4.5}, "divide once"),
        ({"at random": 0.02, "grouped": 0.39}, "divide once"),
    ],
}
