"""Checkers of the exercises of the chapter on reading heatmaps."""

from collections.abc import Callable

import torch
from torch import Tensor

from d2l_lite.attention import length_mask, masked_softmax
from d2l_lite.exercises.checking import Right, check_function, check_prediction
from d2l_lite.metrics import alignment_score

# Three target words, four source words; the second target word has two gold links.
WEIGHTS = torch.tensor([[0.6, 0.2, 0.1, 0.1], [0.1, 0.4, 0.3, 0.2], [0.1, 0.2, 0.3, 0.4]])
GOLD = ((0, 0), (1, 1), (2, 1), (2, 2))


def check_scores_by_hand(answer: dict) -> Right:
    """The error rate, the best error rate and the mass of a small grid with four gold links."""
    score = alignment_score([WEIGHTS.numpy()], [GOLD])
    hints = {
        "error rate": {
            0.57: "That is how far A and G agree. The error is what is missing to 1.",
            None: "Count links on both sides, three in A, four in G. 1/3 is a share of words.",
        },
        "best": {
            0: "One link for each word: three at most, and G has four.",
            None: "The same formula, for three links that are all in G.",
        },
        "mass": "Add up the weights on all gold links, and divide by the three words.",
    }
    truth = {"error rate": score.error_rate, "best": score.best, "mass": score.mass}
    return check_prediction(answer, truth, hints, 0.006, "The formula, by hand.")


def _effect(weights: Tensor) -> Tensor:
    return (weights - weights.mean(dim=0)).abs().sum(dim=1).mean()


def check_query_effect(function: Callable) -> Right:
    """A function of weights (T, S) -> how far a row is from the mean row, a tensor, no axes."""
    mistakes = {
        "It is the distance from 1/S, the mean of any row. Rows must be compared with each other: "
        "average over the queries.": lambda w: (w - w.mean(1, True)).abs().sum(1).mean(),
        "Differences of both signs cancel.": lambda w: (w - w.mean(dim=0)).sum(dim=1).mean(),
        "It grows with the number of rows: take their mean.": lambda w: _effect(w) * len(w),
        "Within a row the differences are added up.": lambda w: _effect(w) / w.shape[1],
    }
    random = torch.rand(5, 3, generator=torch.Generator().manual_seed(0)).softmax(dim=1)
    cases = [(torch.eye(2),), (torch.full((4, 3), 1 / 3),), (WEIGHTS,), (random,)]
    return check_function(function, _effect, cases, mistakes, "0 where the query has no say.")


def _rate(weights: Tensor, gold) -> float:
    return alignment_score([weights.numpy()], [gold]).error_rate


def _by_source_word(weights: Tensor, gold) -> float:
    chosen = {(s, int(t)) for s, t in enumerate(weights.argmax(dim=0))}
    return 1 - 2 * len(chosen & set(gold)) / (len(chosen) + len(gold))


def check_error_rate(function: Callable) -> Right:
    """A function of weights (T, S) and gold links (source, target) -> error rate, a number."""
    mistakes = {
        "Each *source* word has chosen a target word. It is the target words that attend.": (
            _by_source_word
        ),
        "The pairs changed places: a gold link is (source, target).": (
            lambda w, gold: _rate(w, [(t, s) for s, t in gold])
        ),
        "No link is found in G. Are all of them pairs of integers?": lambda w, gold: 1.0,
    }
    crossed = torch.tensor([[0.9, 0.1, 0.0], [0.1, 0.2, 0.7], [0.3, 0.4, 0.3]])
    cases = [
        (torch.eye(3), ((0, 0), (1, 1), (2, 2))),
        (crossed, ((0, 0), (2, 1), (1, 2))),
        (torch.tensor([[0.1, 0.8, 0.1], [0.2, 0.1, 0.7], [0.5, 0.3, 0.2]]), ((1, 0), (2, 1))),
        (WEIGHTS, GOLD),
    ]
    return check_function(function, _rate, cases, mistakes, "Crossing links too.")


def _strongest(scores: Tensor, valid: Tensor) -> Tensor:
    best = scores.masked_fill(~valid, -torch.inf).argmax(dim=-1, keepdim=True)
    return torch.zeros_like(scores).scatter(-1, best, 1.0)


def check_strongest(function: Callable, share_changed: Callable) -> Right:
    """A function of scores (B, T, S) and a mask (B, 1, S) -> weights, 1 on the strongest word.

    Its effect is measured with the page's `share_changed`, function -> (share, low, high).
    """
    mistakes = {
        "Padding is attended to: hide it before the maximum is taken.": (
            lambda scores, valid: _strongest(scores, torch.ones_like(valid))
        ),
        "A hidden score of 0 is still larger than a negative one.": (
            lambda scores, valid: _strongest(scores * valid, torch.ones_like(valid))
        ),
        "The mask is the wrong way round: True = may attend.": (
            lambda scores, valid: _strongest(scores, ~valid)
        ),
        "The strongest word has its old weight. A row must sum to 1.": (
            lambda scores, valid: masked_softmax(scores, valid) * _strongest(scores, valid)
        ),
    }
    scores = torch.tensor([[[0.3, 2.0, -1.0], [1.5, 0.2, 0.1]], [[-2.0, -1.0, 0.0], [0.5, 0.9, 3]]])
    cases = [(scores, length_mask(torch.tensor([3, 2]), 3))]
    check_function(function, _strongest, cases, mistakes)
    share, low, high = share_changed(function)
    return Right(f"{share:.1%} of the words change (95 %: {low:.1%} to {high:.1%}).")
