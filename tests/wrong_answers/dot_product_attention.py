"""Plausible wrong answers to the exercises on dot-product attention."""

import torch

CHANGES = {
    "add the same vector to every key": "stays",
    "multiply the query by 2": "changes",
    "shuffle keys and values in the same way": "stays",
    "add 5 to every value": "changes",
    "append one more key, and hide it": "stays",
}


def padded_context(layer, key, hide=True):
    """Contexts of the same query over 3 and over 8 positions, of which 3 are visible."""
    query, more = torch.ones(1, 2, 4), torch.cat([key, torch.randn(1, 5, 4)], dim=1)
    valid = torch.tensor([3]) if hide else None
    return layer(query, key, key)[0], layer(query, more, more, valid)[0]


def with_equal_keys(layer):
    contexts = padded_context(layer, torch.ones(1, 3, 4))
    return not torch.allclose(*contexts, atol=1e-6)


def without_mask(layer):
    contexts = padded_context(layer, torch.randn(1, 3, 4), hide=False)
    return not torch.allclose(*contexts, atol=1e-6)


def with_a_tensor(layer):
    first, second = padded_context(layer, torch.randn(1, 3, 4))
    return (first != second).any()


WRONG = {
    "check_changes": [
        (CHANGES | {"add the same vector to every key": "changes"}, "added to each score"),
        (CHANGES | {"multiply the query by 2": "stays"}, "differences of scores"),
        (CHANGES | {"shuffle keys and values in the same way": "changes"}, "order of a sum"),
        (CHANGES | {"add 5 to every value": "stays"}, "sum to"),
        (CHANGES | {"append one more key, and hide it": "changes"}, "hidden position"),
    ],
    "check_gradient": [
        (lambda b, v: b * v, "distance from the average"),
        (lambda b, v: b * (v - v.mean()), "average is weighted"),
        (lambda b, v: b * ((b @ v)[:, None] - v), "The sign"),
        (lambda b, v: v - (b @ v)[:, None], "little weight"),
        (lambda b, v: b * (v - b @ v), "average of its own"),
        (lambda b, v: b.mul_(v - (b @ v)[:, None]), "in place"),
    ],
    "check_cosine": [
        (lambda q, k: q @ k.mT, "dot product"),
        (lambda q, k: q @ (k / k.norm(dim=-1, keepdim=True)).mT, "queries still"),
        (lambda q, k: (q / q.norm(dim=-1, keepdim=True)) @ k.mT, "keys still"),
        (
            lambda q, k: (q / q.norm(dim=1, keepdim=True)) @ (k / k.norm(dim=1, keepdim=True)).mT,
            "last axis",
        ),
        (
            lambda q, k: (
                torch.cosine_similarity(q[:, :, None], k[:, None], dim=-1) / q.shape[-1] ** 0.5
            ),
            "no √d",
        ),
    ],
    "check_padding_test": [
        (with_equal_keys, "does not see the fault"),
        (without_mask, "accuses a layer that is right"),
        (with_a_tensor, "True or False is wanted"),
        (lambda layer: ..., "True or False is wanted"),
    ],
}
