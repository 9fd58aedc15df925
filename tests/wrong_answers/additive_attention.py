"""Plausible wrong answers to the exercises on additive attention."""

import torch

SHAPES = {
    "W_q.weight": (8, 4),
    "W_k(key)": (2, 5, 8),
    "W_k(key).unsqueeze(1)": (2, 1, 5, 8),
    "features": (2, 3, 5, 8),
    "context": (2, 3, 7),
}
REPAIRS = {
    "s + t + 1": False,
    "relu(s + t)": True,
    "s * t": True,
    "2 * s + t": False,
    "tanh(s) + tanh(t)": False,
}


def one_by_one(layer, query, key, dim=1, bend=torch.tanh):
    projected = layer.W_k(key)
    rows = [layer.v(bend(q + projected)) for q in layer.W_q(query).split(1, dim=1)]
    return torch.stack([row.squeeze(-1) for row in rows], dim=dim)


def whole_table(layer, query, key):
    return layer.score(query, layer.project_keys(key))


def keys_each_time(layer, query, key):
    return torch.cat([whole_table(layer, one, key) for one in query.split(1, dim=1)], dim=1)


WRONG = {
    "check_shapes": [
        (SHAPES | {"W_q.weight": (4, 8)}, r"\(output, input\)"),
        (SHAPES | {"W_k(key)": (2, 8, 5)}, "last axis alone"),
        (SHAPES | {"W_k(key).unsqueeze(1)": (2, 5, 1, 8)}, "place 1"),
        (SHAPES | {"features": (2, 3, 5)}, "for each pair"),
        (SHAPES | {"context": (2, 3, 6)}, "weighted sum"),
    ],
    "check_repairs": [
        (REPAIRS | {"s + t + 1": True}, "hold both s and t"),
        (REPAIRS | {"s * t": False}, "both s and t"),
        (REPAIRS | {"tanh(s) + tanh(t)": True}, "hold both s and t"),
        (REPAIRS | {"relu(s + t)": False}, "does it bend"),
    ],
    "check_frugal": [
        (lambda layer, q, k: one_by_one(layer, q, k, bend=lambda x: x), "tanh is missing"),
        (lambda layer, q, k: one_by_one(layer, q, k, dim=2), "A row is wanted"),
        (lambda layer, q, k: one_by_one(layer, q, k, dim=0), "before the sentences"),
        (whole_table, "A table of 240 numbers"),
        (keys_each_time, "projected 3 times"),
        (lambda *_: ..., "dots"),
    ],
    "check_mended": [
        (lambda q, k, v: torch.tanh(q.unsqueeze(1) + k.unsqueeze(2)) @ v, "Which axis"),
        (lambda q, k, v: (q.unsqueeze(2) + k.unsqueeze(1)) @ v, "tanh is missing"),
        (lambda q, k, v: ((q.unsqueeze(2) + k.unsqueeze(1)) @ v).tanh(), "before v"),
        (lambda q, k, v: torch.tanh(q + k) @ v, "shape is"),
    ],
}
