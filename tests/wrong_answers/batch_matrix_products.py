"""Plausible wrong answers to the exercises on batch matrix products."""

import torch

SHAPES = {
    "a @ b": (2, 3, 5),
    "a @ c": (2, 3, 5),
    "torch.bmm(a, c)": "error",
    "torch.einsum('bnm,bmk->nk', a, b)": (3, 5),
    "torch.einsum('bnm,bmk->bnmk', a, b)": (2, 3, 4, 5),
}
GROWTH = {
    "multiplications, n doubled": 4,
    "weights, n doubled": 4,
    "contexts, n doubled": 2,
    "multiplications, D doubled": 2,
    "weights, D doubled": 1,
    "contexts, D doubled": 2,
}
ONES = torch.ones(1, 1, 2)

WRONG = {
    "check_shapes": [
        (SHAPES | {"a @ b": (2, 3, 4, 5)}, "summed away"),
        (SHAPES | {"a @ c": "error"}, "broadcasts"),
        (SHAPES | {"torch.bmm(a, c)": (2, 3, 5)}, "How many axes"),
        (SHAPES | {"torch.einsum('bnm,bmk->nk', a, b)": (2, 3, 5)}, "Two letters"),
        (SHAPES | {"torch.einsum('bnm,bmk->bnmk', a, b)": (2, 3, 5)}, "nothing is summed"),
        (SHAPES | {"a @ b": ...}, "dots"),
    ],
    "check_scores": [
        (lambda q, k: torch.einsum("btd,bsd->bst", q, k), "row is wanted for each query"),
        (lambda q, k: torch.einsum("btd,csd->bts", q, k), "batch is summed over"),
        (lambda q, k: torch.einsum("btd,bsd->btsd", q, k), "Nothing is summed"),
        (lambda q, k: q @ k.reshape(len(k), k.shape[2], k.shape[1]), "cut up anew"),
        (lambda q, k: torch.einsum("btd,bse->bts", q, k), "in the same order"),
        (lambda q, k: q @ k, "fails with RuntimeError"),
        (lambda q, k: ..., "dots"),
    ],
    "check_revealing": [
        (lambda: (ONES, torch.ones(1, 2, 2)), "corners are equal"),
        (lambda: (ONES, torch.tensor([[[1.0, 2.0], [2.0, 3.0]]])), "corners are equal"),
        (lambda: (0 * ONES, torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])), "does not tell them"),
        (lambda: (ONES, torch.rand(1, 3, 2)), r"not \(1, 1, 2\) and \(1, 3, 2\)"),
    ],
    "check_growth": [
        (GROWTH | {"multiplications, n doubled": 2}, "multiplications, n .* how often"),
        (GROWTH | {"weights, D doubled": 2}, "weights, D .* how often"),
        (GROWTH | {"contexts, n doubled": 4}, "contexts, n .* how often"),
    ],
}
