"""Checkers of the exercises of "Masked softmax"."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from d2l_lite.attention import causal_mask, length_mask, masked_softmax
from d2l_lite.data import Batches, build_vocabs, load_pairs
from d2l_lite.exercises.checking import Right, WrongAnswer, check_function, check_prediction


def check_shapes(prediction: dict[str, tuple[int, ...]]) -> Right:
    """Shapes of scores, masks and weights for B = 3, S = 7, T = 5."""
    scores, lengths = torch.zeros(3, 5, 7), torch.full((3, 5), 2)
    tensors = {
        "scores": scores,
        "mask from one length per sentence": length_mask(lengths[:, 0], 7),
        "mask from one length per query": length_mask(lengths, 7),
        "causal mask over the 5 written words": causal_mask(5),
        "weights": masked_softmax(scores, lengths),
    }
    order = "A number for each sentence, query and key, in this order."
    one = "One row serves all queries; an axis of size 1 says so."
    square = "The written words attend to one another, in every sentence in the same way."
    hints = dict(zip(tensors, (order, one, order, square, order), strict=True))
    truth = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    return check_prediction(prediction, truth, hints, praise="All five.")


def check_weights(rows: dict[str, list[float]]) -> Right:
    """Weights (a list of 4) of scores 0, ln 3, 0, ln 5 under four masks."""
    powers = (1.0, 3.0, 1.0, 5.0)  # of e
    masks = {
        "all four visible": (True, True, True, True),
        "the first two visible": (True, True, False, False),
        "the second and third visible": (False, True, True, False),
        "none visible": (False, False, False, False),
    }
    truth, hints = {}, {}
    for name, mask in masks.items():
        truth[name] = masked_softmax(torch.tensor(powers).log(), torch.tensor(mask)).tolist()
        cut = tuple(power * seen / 10 for power, seen in zip(powers, mask, strict=True))
        hints[name] = {
            cut: "Hidden positions get nothing, but the others no longer sum to 1.",
            (0.1, 0.3, 0.1, 0.5): "That is the softmax over all four: hidden ones have a share.",
            (0.25,) * 4: "An average of everything, as if all scores were equal.",
            None: "e to the power of the scores is 1, 3, 1, 5. Share out 1 among the visible.",
        }
    return check_prediction(rows, truth, hints, tolerance=0.006, praise="All four rows.")


def check_window(function: Callable[[int, int], Tensor]) -> Right:
    """A function (size, reach) -> mask (size, size), True at a distance of at most `reach`."""

    def gaps(size):
        return torch.arange(size)[:, None] - torch.arange(size)

    def right(size, reach):
        return gaps(size).abs() <= reach

    mistakes = {
        "Off by one: `reach` itself is near enough.": lambda n, reach: right(n, reach - 1),
        "Too much on the right: gaps are negative there.": lambda n, reach: gaps(n) <= reach,
        "A window looks to the right, too.": lambda n, reach: right(n, reach).tril(),
        "Distances are no mask: a mask is boolean.": lambda n, reach: gaps(n).abs(),
    }
    cases = [(4, 1), (3, 0), (5, 2), (4, 9)]
    return check_function(function, right, cases, mistakes, "A good window.")


def check_mended(function: Callable[[Tensor, Tensor], Tensor]) -> Right:
    """A masked softmax of scores (B, T, S) and a mask (B, 1, S) without empty rows."""

    def late(scores, mask, total: Callable = torch.ones_like):
        weights = scores.softmax(dim=-1) * mask
        return weights / total(weights)

    mistakes = {
        "The visible weights do not sum to 1: the softmax gave a share to padding.": late,
        "Divide each row by its own sum, not by that of all.": lambda s, mask: late(
            s, mask, torch.sum
        ),
        "The wrong axis: it is the weights of one query that sum to 1.": (
            lambda s, mask: late(s, mask, lambda w: w.sum(dim=1, keepdim=True))
        ),
        "A second softmax gives hidden positions a share again.": lambda *x: late(*x).softmax(-1),
        "Padding is attended to: a score of 0 has a share, too.": (
            lambda scores, mask: (scores * mask).softmax(dim=-1)
        ),
    }
    scores = torch.tensor([[[0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 0.0, 3.0]]])
    cases = [(scores, length_mask(torch.tensor([length]), 4)) for length in (3, 1, 4)]
    return check_function(function, masked_softmax, cases, mistakes, "Mended.")


def check_counterexample(scores: Sequence[float]) -> Right:
    """Four scores from -10 to 10 for which `(scores * mask).softmax(-1)` attends to the fourth."""
    scores = torch.as_tensor(scores)
    if scores.shape != (4,) or scores.abs().max() > 10:
        raise WrongAnswer(f"Four scores from -10 to 10 are wanted, not {scores.tolist()}.")
    weight = (scores * torch.tensor([1.0, 1.0, 1.0, 0.0])).softmax(dim=-1)[3].item()
    if weight <= 0.9:
        told = "its own score is multiplied away, the other three are not."
        raise WrongAnswer(f"The hidden position gets {weight:.3f} of the weight: {told}")
    return Right(f"The hidden position takes {weight:.3f} of the weight.")


def check_padding(shares: dict[str, float]) -> Right:
    """Which share of source positions is padding, over 2,000 pairs in batches of 64."""
    pairs = load_pairs("mini-fra", num_examples=2000)
    truth, hints = {}, {}
    for name, group in (("at random", False), ("grouped", True)):
        batches = list(Batches(pairs, *build_vocabs(pairs), group=group))
        words = sum(batch.src_len.sum().item() for batch in batches)
        seen = words / sum(batch.src.numel() for batch in batches)
        truth[name], hints[name] = 1 - seen, {seen: "That is the share of the words.", None: ""}
        hints[name][None] = "Add up positions and lengths over all batches, then divide once."
    praise = ", ".join(f"{share:.1%} {name}" for name, share in truth.items()) + "."
    return check_prediction(shares, truth, hints, tolerance=0.002, praise=praise)
