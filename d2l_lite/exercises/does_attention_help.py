"""Checkers of the exercises of the chapter on whether attention helps."""

from collections.abc import Callable
from statistics import mean
from types import SimpleNamespace

import torch

from d2l_lite.exercises.checking import Right, WrongAnswer, check_function, check_prediction


def check_cost(answer: dict, S: int = 20, T: int = 10, H: int = 100) -> Right:
    """Multiply-adds of attention for one target word: dot, keys once, keys anew."""
    dot, project = 2 * S * H, H * H
    once, anew = dot + project + S * project / T, dot + project + S * project
    truth = {"dot": dot, "additive, keys once": once, "additive, keys anew": anew}
    hints = {
        "dot": {
            S * H: "That is the scores alone; the average that makes the context costs too.",
            None: "Scores and average are wanted, for one target word, over all source words.",
        },
        "additive, keys once": {
            anew: "Projected once a sentence, the keys are shared by T words.",
            dot + project: "The projection of the keys is left out: a T-th part of it counts.",
            once - project: "The projection of the query is left out.",
            None: "The query's projection, a T-th part of the keys', and then as for dot.",
        },
        "additive, keys anew": {
            once: "The projection is shared no longer: each word pays for all of it.",
            anew - project: "The projection of the query is left out.",
            None: "S keys are projected for this one word, and the query as well.",
        },
    }
    return check_prediction(answer, truth, hints, 0.5, "Most of the cost can be avoided.")


def _gain(first: list[float], second: list[float]) -> float:
    return mean(second) - mean(first)


def _apart(first: list[float], second: list[float]) -> bool:
    return min(second) > max(first) or min(first) > max(second)


def check_compare_seeds(function) -> Right:
    """A function (first, second), lists of scores -> (difference of means, apart or not)."""
    mistakes = {
        "The sign is wrong: second less first is wanted.": lambda a, b: (_gain(b, a), _apart(a, b)),
        "It compares the best of each. The luckiest seed is no mean.": (
            lambda a, b: (max(b) - max(a), _apart(a, b))
        ),
        "It compares the seeds in pairs, and one list may be longer: take the mean of each.": (
            lambda a, b: (mean(y - x for x, y in zip(a, b, strict=False)), _apart(a, b))
        ),
        "It is blind on one side: the first may be the higher one.": (
            lambda a, b: (_gain(a, b), min(b) > max(a))
        ),
        "Ranges that touch are not apart: of two equal scores neither beats the other.": (
            lambda a, b: (_gain(a, b), min(b) >= max(a) or min(a) >= max(b))
        ),
        "Means that differ are not apart yet: *every* score of one must beat all of the other.": (
            lambda a, b: (_gain(a, b), mean(a) != mean(b))
        ),
    }
    cases = [
        ([11.5, 13.5], [26.5, 27.5, 29.0]),
        ([28.0, 29.0], [23.0, 23.5]),
        ([27.0, 28.0], [27.5, 29.5]),
        ([28.0, 29.0], [27.0, 28.0]),
    ]
    return check_function(
        function, lambda a, b: (_gain(a, b), _apart(a, b)), cases, mistakes, "Both ways round."
    )


def _compare(builds, fit, score, parts, seeds, anew=True, part="test", merge=mean) -> dict:
    """The comparison that is wanted; other arguments than the first five make mistakes."""
    means = {}
    for name, build in builds.items():
        model, scores = build(), []
        for seed in seeds:
            torch.manual_seed(seed)
            model = build() if anew else model
            fit(model, parts.train)
            scores.append(score(model, getattr(parts, part)))
        means[name] = merge(scores)
    return means


def _trial(compare: Callable, before: int = 0, **how) -> Callable:
    """seeds -> the scores of two toy variants; a score is a random start and what was done.

    `before` is the state of the random numbers before the comparison begins.
    """

    def build(size):
        return {"start": size + torch.rand(()).item(), "epochs": 0}

    def fit(model, part):
        model["epochs"] += {"train": 1, "valid": 10, "test": 100}[part]

    def score(model, part):
        return model["start"] + model["epochs"] + {"train": 40, "valid": 20, "test": 0}[part]

    def run(seeds):
        with torch.random.fork_rng():
            torch.manual_seed(before)
            builds = {"narrow": lambda: build(1), "wide": lambda: build(5)}
            parts = SimpleNamespace(train="train", valid="valid", test="test")
            found = compare(builds, fit, score, parts, seeds, **how)
            return [found[name] for name in builds]

    return run


def check_comparison(function) -> Right:
    """A function (builds, fit, score, parts, seeds) -> {name: mean test score}, made fair."""

    def unseeded(seeds):
        """The answer's own result, if it changes with what was drawn before; else nothing."""
        first, second = (_trial(function, before)(seeds) for before in (0, 1))
        return first if first != second else None

    mistakes = {
        "Two things are wrong still: what is trained, and what is scored.": _trial(
            _compare, anew=False, part="valid"
        ),
        "It trains the *same* model on with each seed: the last has had the epochs of all.": _trial(
            _compare, anew=False
        ),
        "It scores on the validation part, which has chosen the epoch.": _trial(
            _compare, part="valid"
        ),
        "It scores on sentences that it has trained on.": _trial(_compare, part="train"),
        "The best seed is reported, and the mean is wanted.": _trial(_compare, merge=max),
        "A model's first weights must come from its seed, and these do not.": unseeded,
    }
    cases = [([0, 1, 2],)]
    return check_function(_trial(function), _trial(_compare), cases, mistakes, "Now it is fair.")


def check_share(share: float, final_loss: Callable) -> Right:
    """The share of attention's gain that twice the H brings; final_loss(model, H) measures."""
    narrow, wide = final_loss("rnn", 48), final_loss("rnn", 96)
    truth = (narrow - wide) / (narrow - final_loss("rnn-attention", 48))
    if isinstance(share, int | float):
        for hint, value in {
            "That is the gain in loss: divide it by that of attention.": narrow - wide,
            "It is upside down: the gain of attention is the whole.": 1 / truth,
            "That is the share that is missing.": 1 - truth,
            "That is in percent, and a number from 0 to 1 is wanted.": 100 * truth,
        }.items():
            if abs(share - value) < 0.006 < abs(share - truth):
                raise WrongAnswer(hint)
    hint = (
        "Divide the gain of 96 by that of attention with 48, both over the fixed context with 48."
    )
    return check_prediction(share, truth, hint, 0.006, f"The share is {truth:.2f}.")
