"""Plausible wrong answers to the exercises of "Why attention"."""

import torch

NUMBERS = {
    "fixed context, 6 words": 160,
    "fixed context, 30 words": 160,
    "outputs, 6 words": 960,
    "outputs, 30 words": 4800,
    "farthest word, both directions": 14,
    "farthest word, forwards": 29,
}


def first_to_last(extra):
    """How strongly the first of 30 words acts on an LSTM's last state, as in the chapter."""
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(64, 64, batch_first=True)
    with torch.no_grad():
        lstm.bias_ih_l0[64:128] += extra
    x = torch.randn(1, 30, 64, requires_grad=True)
    lstm(x)[1][0].sum().backward()
    lengths = x.grad[0].norm(dim=-1)
    return (lengths[0] / lengths[-1]).item()


WRONG = {
    "check_numbers": [
        ({**NUMBERS, "fixed context, 30 words": 800}, "does not depend on the sentence"),
        ({**NUMBERS, "outputs, 30 words": 160}, "one state for each word"),
        ({**NUMBERS, "farthest word, both directions": 29}, "two ends"),
        ({**NUMBERS, "farthest word, forwards": 30}, "after the last word"),
    ],
    "check_left": [
        (lambda n, keep: keep ** torch.arange(n), "turned round"),
        (lambda n, keep: keep ** torch.arange(n, 0, -1), "One step too many"),
        (lambda n, keep: torch.softmax(torch.arange(n) * 1.0, 0), "numbers differ"),
        (lambda n, keep: 1 - (1 - keep) * torch.arange(n - 1.0, -1, -1), "multiply"),
        (lambda n, keep: [keep ** (n - 1 - i) for i in range(n)], "a list, and a tensor"),
    ],
    "check_exact": [
        (lambda words, right: all(map(str.__eq__, words, right)), "breaks off"),
        (lambda words, right: words == right[: len(words)], "breaks off"),
        (lambda words, right: set(words) == set(right), "goes on too long"),
        (lambda words, right: sorted(words) == sorted(right), "another order"),
        (lambda words, right: len(words) == len(right), "One wrong word"),
        (lambda words, right: any(w in right for w in words), "One wrong word"),
    ],
    "check_gate": [
        ([1, first_to_last], "too little"),
        ([3, first_to_last], "smaller number"),
        ([..., first_to_last], "whole number"),
        ([2.5, first_to_last], "whole number"),
    ],
}
