"""Plausible wrong answers to the exercises of "What attention costs"."""

import torch
import torch.nn.functional as F

COUNTS = {
    "output layer": 10_240_000,
    "keys, anew for each word": 6_553_600,
    "keys, once a sentence": 262_144,
    "logits, MB": 128.0,
    "crossing, words": 1536,
}


def mean_over_all(logits, y, counted):
    """Autograd's answer to another question: the mean over padding as well."""
    each = F.cross_entropy(leaf := logits.clone().requires_grad_(), y, reduction="none") * counted
    return torch.autograd.grad(each.mean(), leaf)[0]


def in_parts(query, key, v, rows):
    """A few queries at a time, and autograd keeps the tanh of each part."""
    parts = query.split(rows, dim=1)
    return torch.cat([(part[:, :, None] + key[:, None]).tanh() @ v for part in parts], dim=1)


def without_gradient(query, key, v, rows):
    """The same; nothing is kept, and nothing can go back to the keys."""
    return in_parts(query, key.detach(), v, rows)


WRONG = {
    "check_counts": [
        ({**COUNTS, "output layer": 64 * 25 * 512 * 20_000}, "for one word"),
        ({**COUNTS, "keys, anew for each word": 512**2}, "one key"),
        ({**COUNTS, "keys, once a sentence": 25 * 512**2}, "share it"),
        ({**COUNTS, "logits, MB": 32.0}, "How many bytes"),
        ({**COUNTS, "logits, MB": 2.0}, "each sentence, position"),
        ({**COUNTS, "crossing, words": 1024}, "with an LSTM"),
        ({**COUNTS, "crossing, words": 2560}, "equal"),
        ({**COUNTS, "crossing, words": ...}, "the dots"),
    ],
    "check_gradient": [
        (
            lambda a, y, c: (a.softmax(1) - F.one_hot(y, a.shape[1])) * c[:, None],
            "gradient of the sum",
        ),
        (mean_over_all, "all rows"),
        (
            lambda a, y, c: (a.softmax(1) - F.one_hot(y, a.shape[1])) / c.sum(),
            "Padding has a gradient",
        ),
        (
            lambda a, y, c: (F.one_hot(y, a.shape[1]) - a.softmax(1)) * c[:, None] / c.sum(),
            "sign",
        ),
        (lambda a, y, c: a.softmax(1) * c[:, None] / c.sum(), "the right word"),
        (lambda a, y, c: ..., "nothing yet"),
    ],
    "check_combined": [
        (lambda g, n: (g / n[:, None]).mean(dim=0), "mean of the means"),
        (lambda g, n: (g / n[:, None]).sum(dim=0), "adds up means"),
        (lambda g, n: g.mean(dim=0), "number of processes"),
        (lambda g, n: g.sum(dim=0), "gradient of a sum"),
    ],
    "check_scores": [
        (in_parts, "It keeps"),
        (without_gradient, "a gradient is not"),
        (lambda query, key, v, rows: ..., "nothing yet"),
        (lambda q, k, v, rows: in_parts(q, k, v, rows).mT.contiguous(), "shape is"),
    ],
}
