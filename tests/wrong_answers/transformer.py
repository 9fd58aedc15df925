"""Plausible wrong answers to the exercises of the chapter on the Transformer."""

import torch

import d2l_lite as d2l

SHAPES = {
    "queries of one head": (2, 5, 4),
    "weights over the source, all blocks": (2, 6, 5, 7),
    "cached keys of a block after 5 words": (2, 3, 5, 4),
    "parameters of a multi-head attention": 624,
    "the same with 6 heads": 624,
    "layer norms of a decoder block": 3,
}


def weights(query, key, size, dim=-1):
    return (query @ key.transpose(-1, -2) / size**0.5).softmax(dim=dim)


def rows_out(W, head, heads):
    W, size = W.clone(), len(W) // heads
    W[head * size : (head + 1) * size] = 0
    return W


def one_column(W, head, heads):
    W = W.clone()
    W[:, head] = 0
    return W


def one_alone(W, head, heads):
    kept, size = torch.zeros_like(W), len(W) // heads
    kept[:, head * size : (head + 1) * size] = W[:, head * size : (head + 1) * size]
    return kept


def in_place(W, head, heads):
    W[:, : W.shape[1] // heads] = 0
    return W


WRONG = {
    "check_shapes": [
        ({**SHAPES, "queries of one head": (2, 5, 12)}, "share of the width"),
        ({**SHAPES, "queries of one head": (2, 3, 5, 4)}, "of all heads"),
        ({**SHAPES, "weights over the source, all blocks": (2, 3, 5, 7)}, "Both blocks attend"),
        ({**SHAPES, "cached keys of a block after 5 words": (2, 3, 7, 4)}, "the source's"),
        ({**SHAPES, "parameters of a multi-head attention": 576}, "has biases"),
        ({**SHAPES, "the same with 6 heads": 1248}, "shared among the heads"),
        ({**SHAPES, "layer norms of a decoder block": 2}, "each of its parts"),
    ],
    "check_split": [
        (lambda x, n: x.view(x.shape[0], n, x.shape[1], x.shape[2] // n), "words are mixed"),
        (lambda x, n: x.view(*x.shape[:2], n, -1), "two axes must change places"),
        (lambda x, n: x.view(*x.shape[:2], -1, n).permute(0, 3, 1, 2), "take neighbours"),
    ],
    "check_head_weights": [
        (lambda q, k: weights(q, k, 12), "root of D"),
        (lambda q, k: weights(q, k, q.shape[-1] ** 2), "not by its root"),
        (lambda q, k: weights(q, k, 1), "Nothing is divided"),
        (lambda q, k: weights(q, k, 4, dim=2), "over the queries"),
        (lambda q, k: weights(q, k, 4, dim=1), "over the heads"),
    ],
    "check_new_rows": [
        (lambda past, new: d2l.causal_mask(past + new)[:new], "which rows are theirs"),
        (lambda past, new: torch.ones(new, past + new).bool(), "shall predict"),
        (lambda past, new: torch.ones(new, past + new).triu(past + 1).bool(), "wrong way round"),
        (lambda past, new: d2l.causal_mask(new), r"should be \(1, 5\)"),
    ],
    "check_torch_mask": [
        (lambda lengths, size: torch.arange(size) < lengths[:, None], "True means .hidden"),
        (lambda lengths, size: ~d2l.length_mask(lengths, size), r"should be \(2, 3\)"),
        (lambda lengths, size: torch.arange(size) > lengths[:, None], "Some entries are wrong"),
    ],
    "check_without_head": [
        ([rows_out, None, None], "meet columns"),
        ([one_column, None, None], "One column"),
        ([one_alone, None, None], "All heads but one"),
        ([in_place, None, None], "in place"),
    ],
}
