"""Checkers of the chapter on what attention costs."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from d2l_lite.exercises.checking import Right, WrongAnswer, check_function, check_prediction


def check_counts(prediction: dict) -> Right:
    """Multiply-adds, MB and words with H=512, V=20,000, S=T=25, B=64, and a window of k=5."""
    H, V, S, B, k = 512, 20_000, 25, 64, 5
    truth = {
        "output layer": H * V,
        "keys, anew for each word": S * H**2,
        "keys, once a sentence": H**2,
        "logits, MB": 4 * B * S * V / 1e6,
        "crossing, words": next(n for n in range(1, 10**5) if 4 * H + 2 * n >= 2 * k * H),
    }
    hints = {
        "output layer": "A matrix, H to V, for one word.",
        "keys, anew for each word": {H**2: "That is one key. All S of them are projected."},
        "keys, once a sentence": {S * H**2: "That is the sentence's. T target words share it."},
        "logits, MB": {
            B * S * V / 1e6: "That is how many numbers there are. How many bytes has one?",
            None: "A number for each sentence, position and word of the vocabulary.",
        },
        "crossing, words": {2 * H: "That is the crossing with an LSTM.", None: "Set them equal."},
    }
    return check_prediction(prediction, truth, hints, 0.01, "Count with your own sizes.")


def check_gradient(function: Callable) -> Right:
    """A function of logits (n, V), y (n,), counted (n,) -> the mean loss's gradient, (n, V)."""

    def right(logits: Tensor, y: Tensor, counted: Tensor) -> Tensor:
        return (logits.softmax(1) - F.one_hot(y, 3)) * counted[:, None] / counted.sum()

    mistakes: dict[str, Callable] = {
        "That is the gradient of the sum.": lambda a, y, c: right(a, y, c) * c.sum(),
        "It divides by all rows, padding too.": lambda a, y, c: right(a, y, c) * c.sum() / len(c),
        "Padding has a gradient.": lambda a, y, c: right(a, y, c | True) * len(c) / c.sum(),
        "The sign is wrong.": lambda *given: -right(*given),
        "And the right word?": lambda a, y, c: a.softmax(1) * c[:, None] / c.sum(),
    }
    logits = torch.tensor([[1.0, 2.0, 5.0]] * 3).log()
    cases = [(logits, torch.tensor([1, 2, 0]), torch.tensor([True, True, False]))]
    return check_function(function, right, cases, mistakes, "Probabilities, less 1 in one place.")


def check_combined(function: Callable) -> Right:
    """A function of gradients of summed losses (P, n) and words (P,) -> the gradient (n,)."""
    mistakes: dict[str, Callable] = {
        "It is still the mean of the means.": lambda g, n: (g / n[:, None]).mean(0),
        "More processes, longer steps: it adds up means.": lambda g, n: (g / n[:, None]).sum(0),
        "It divides by the number of processes. And the words?": lambda g, n: g.mean(0),
        "More words, longer steps: it is the gradient of a sum.": lambda g, n: g.sum(0),
    }
    cases = [(torch.tensor([[8.0, 4.0], [7.0, -1.0]]), torch.tensor([4, 1]))]
    return check_function(function, lambda g, n: g.sum(0) / n.sum(), cases, mistakes)


def check_scores(function: Callable) -> Right:
    """A function of query (B, T, H), key (B, S, H), v (H,), rows -> additive scores (B, T, S).

    Measured by the megabytes that autograd keeps; scores and gradients must be the plain form's.
    """

    def plain(query: Tensor, key: Tensor, v: Tensor, rows: int) -> Tensor:
        return (query[:, :, None] + key[:, None]).tanh() @ v

    draw = torch.Generator().manual_seed(0)
    inputs = [torch.randn(size, generator=draw) for size in ((2, 50, 16), (2, 40, 16), (16,))]
    check_function(function, plain, [(*inputs, rows) for rows in (8, 50)])
    (before, gradients), (after, found) = (_kept(form, inputs) for form in (plain, function))
    for right, other in zip(gradients, found, strict=True):
        if other is None or not torch.allclose(right, other, rtol=1e-4, atol=1e-4):
            raise WrongAnswer("The scores are right, and a gradient is not.")
    if after > before / 5:
        raise WrongAnswer(f"It keeps {after:.2f} MB, and the plain form {before:.2f} MB.")
    return Right(f"Kept: {before:.3f} MB by the plain form, {after:.3f} MB by yours.")


def _kept(function: Callable, inputs: list[Tensor]) -> tuple[float, tuple]:
    """The megabytes that autograd lays by, each tensor once, and the gradients of the inputs."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    kept: list[Tensor] = []  # alive together, so that no two have one address

    def note(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        scores = function(*leaves, 8)
    sizes = {x.untyped_storage().data_ptr(): x.untyped_storage().nbytes() for x in kept}
    found = torch.autograd.grad(scores.square().sum(), leaves, allow_unused=True)
    return sum(sizes.values()) / 1e6, found
