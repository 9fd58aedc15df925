"""Checkers of the exercises of "Before you start"."""

import torch
from torch import nn

from d2l_lite.exercises.checking import Right, check_function, check_prediction


def check_shapes(shapes: dict[str, tuple[int, ...]]) -> Right:
    """Shapes of six expressions of a query (2, 5, 8), a key (2, 7, 8) and lengths (2,)."""
    query, key, lengths = torch.zeros(2, 5, 8), torch.zeros(2, 7, 8), torch.tensor([7, 3])
    tensors = {
        "query[:, -1]": query[:, -1],
        "query[:, :1]": query[:, :1],
        "query[:, :, None] + key[:, None]": query[:, :, None] + key[:, None],
        "query @ key.transpose(1, 2)": query @ key.transpose(1, 2),
        "torch.arange(7) < lengths[:, None]": torch.arange(7) < lengths[:, None],
        "nn.Linear(8, 1)(key).squeeze(-1)": nn.Linear(8, 1)(key).squeeze(-1),
    }
    hints = (
        "An index takes its axis away.",
        "A slice, with a colon, keeps its axis.",
        "Write (2, 5, 1, 8) and (2, 1, 7, 8) below each other.",
        "The product sums over the last axis of both: what is left of each of the two?",
        "Write (7,) and (2, 1) below each other, their right ends aligned.",
        "squeeze(-1) drops the 1.",
    )
    truth = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    return check_prediction(shapes, truth, dict(zip(truth, hints, strict=True)), 0.0, "Six of six.")


def check_distances(function) -> Right:
    """A function (B, T, D), (B, S, D) -> squared distances (B, T, S)."""

    def right(query, key):
        return (query[:, :, None] - key[:, None]).square().sum(dim=-1)

    mistakes = {
        "The axes changed places: rows are queries and columns keys, not the other way round.": (
            lambda query, key: right(query, key).transpose(1, 2)
        ),
        "Those are the distances. The squares are wanted, without the root.": torch.cdist,
        "The query number i meets the key number i alone: without axes of size 1, T is taken for S "
        "where they are equal.": lambda query, key: (query - key).square().sum(dim=-1),
        "Square each number first, then sum: the other order lets plus and minus cancel.": (
            lambda query, key: (query[:, :, None] - key[:, None]).sum(dim=-1).square()
        ),
        "That is the mean over the last axis. A squared distance is the sum.": (
            lambda query, key: right(query, key) / query.shape[-1]
        ),
    }
    draw = torch.Generator().manual_seed(0)
    # Equal sizes first: there a wrong axis makes no error.
    shapes = [((1, 2, 2), (1, 2, 2)), ((2, 3, 5), (2, 4, 5))]
    cases = [tuple(torch.randint(-3, 4, s, generator=draw) * 1.0 for s in pair) for pair in shapes]
    return check_function(function, right, cases, mistakes, "Each query meets each key.")


def check_rows(function) -> Right:
    """A function (T, S) -> (T, S) that divides each row by its sum."""
    mistakes = {
        "The sums (T,) met the columns: an axis of size 1 must say that they belong to rows.": (
            lambda table: table / table.sum(dim=-1)
        ),
        "Now each column sums to 1. Rows are wanted.": lambda table: table / table.sum(dim=0),
        "The whole table sums to 1. Each row should.": lambda table: table / table.sum(),
    }
    cases = [(torch.tensor([[1.0, 1.0], [2.0, 6.0]]),), (torch.tensor([[1.0, 2.0, 1.0]]),)]
    right = nn.functional.normalize
    return check_function(function, lambda table: right(table, p=1.0), cases, mistakes, "Mended.")


def check_visible_mean(function) -> Right:
    """A function (B, S), mask (B, S) -> mean of the values where the mask is True, (B,)."""

    def right(values, mask):
        return torch.stack([row[seen].mean() for row, seen in zip(values, mask, strict=True)])

    mistakes = {
        "The mask is the wrong way round: True = may attend, so True counts.": (
            lambda values, mask: right(values, ~mask)
        ),
        "The hidden values count as zeros: divide by how many are visible, not by S.": (
            lambda values, mask: (values * mask).mean(dim=-1)
        ),
        "The mask was not used: hidden values count.": lambda values, mask: values.mean(dim=-1),
        "The sum takes the hidden values: masked_fill fills where its mask is True.": (
            lambda values, mask: values.masked_fill(mask, 0).sum(dim=-1) / mask.sum(dim=-1)
        ),
    }
    values = torch.tensor([[1.0, 3.0, 100.0, -7.0], [2.0, 4.0, 6.0, 900.0]])
    mask = torch.tensor([[True, True, False, False], [True, True, True, False]])
    cases = [(values, mask), (values.flip(1), mask)]
    return check_function(function, right, cases, mistakes, "What is hidden does not count.")
