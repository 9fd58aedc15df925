"""Checkers of the exercises of the chapter on measuring a translation."""

import math
from collections import Counter

import numpy as np
import torch

from d2l_lite.exercises.checking import Right, WrongAnswer, check_function, check_prediction

_WRITTEN, _WANTED = "le chat le chat dort".split(), "le petit chat dort ici ce soir".split()


def _ngrams(words: list[str], n: int) -> Counter:
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def _matches(words: list[str], references: list[list[str]], n: int, merge=Counter.__or__) -> int:
    """Clipped matches; another `merge` of the references' counts makes a mistake."""
    most: Counter = Counter()
    for reference in references:
        most = merge(most, _ngrams(reference, n))
    return (_ngrams(words, n) & most).total()


def check_bleu_numbers(answer: dict) -> Right:
    """Precision of words and of pairs, and the brevity penalty, of five words for seven."""
    truth = {
        "words": _matches(_WRITTEN, [_WANTED], 1) / len(_WRITTEN),
        "pairs": _matches(_WRITTEN, [_WANTED], 2) / (len(_WRITTEN) - 1),
        "brevity": math.exp(1 - len(_WANTED) / len(_WRITTEN)),
    }
    hints = {
        "words": "Of the words *written*; each counts at most as often as the reference has it.",
        "pairs": "Five words have four pairs. Le chat is no pair of the reference.",
        "brevity": "A short translation is punished, so it is below 1: e to a negative power.",
    }
    return check_prediction(answer, truth, hints, 0.01, "Counted, clipped, and punished.")


def check_clipped_matches(function) -> Right:
    """A function (words, references, n) -> number of clipped n-gram matches."""

    def unclipped(words, references, n):
        known = {gram for reference in references for gram in _ngrams(reference, n)}
        return sum(count for gram, count in _ngrams(words, n).items() if gram in known)

    mistakes = {
        "It is not clipped: an n-gram counts at most as often as a reference has it.": unclipped,
        "The references' counts are added up: take the largest of them.": (
            lambda words, references, n: _matches(words, references, n, Counter.__add__)
        ),
        "Only the first reference is looked at.": (
            lambda words, references, n: _matches(words, references[:1], n)
        ),
        "One reference is chosen for all: take the largest count for each n-gram by itself.": (
            lambda words, references, n: max(_matches(words, [r], n) for r in references)
        ),
        "Each n-gram counts once only, however often both sides have it.": (
            lambda words, references, n: len(
                _ngrams(words, n).keys() & {g for r in references for g in _ngrams(r, n)}
            )
        ),
    }
    double = "le chat voit le chien".split()
    cases = [
        (["le"] * 5, [_WANTED, _WANTED], 1),
        (double, [_WANTED, double], 1),
        (double, [double], 2),
        (_WRITTEN, [["ici"], double, _WANTED], 2),
        (["oui"], [double], 2),
    ]
    return check_function(function, _matches, cases, mistakes, "Clipped.")


def check_brevity(function) -> Right:
    """A function (words written, words wanted) -> brevity penalty, from 0 to 1."""

    def right(written, wanted):
        return min(1.0, math.exp(1 - wanted / written)) if written else 0.0

    mistakes = {
        "A short translation is rewarded: the ratio is upside down.": (
            lambda c, r: 1.0 if c > r else math.exp(1 - c / r)
        ),
        "It has the wrong sign: a short translation is rewarded.": lambda c, r: math.exp(r / c - 1),
        "A long translation is rewarded: the penalty is never above 1.": (
            lambda c, r: math.exp(1 - r / c)
        ),
        "That is the plain ratio, without the exponential.": lambda c, r: min(1.0, c / r),
        "The ratio under the exponential is upside down.": (
            lambda c, r: min(1.0, math.exp(c / r - 1))
        ),
    }
    cases = [(2, 6), (5, 6), (7, 6), (6, 6), (0, 6)]
    return check_function(function, right, cases, mistakes, "Short is no longer best.")


def check_one_difference(function) -> Right:
    """A function (first, second), marks (n,) each -> difference of means in one paired draw."""
    first = (torch.arange(200) % 2).float()
    second = torch.where(torch.arange(200) % 20 == 0, 1.0, first)
    true = float((second - first).mean())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = np.array([float(function(first.clone(), second.clone())) for _ in range(400)])
    together = float((second - first).std()) / math.sqrt(len(first))
    apart = math.sqrt(float(first.var() + second.var()) / len(first))
    if found.std() < together / 2:
        raise WrongAnswer(
            "All draws give nearly the same: drawn without replacement, it is the same sentences."
        )
    if found.std() > (together + apart) / 2:
        raise WrongAnswer(
            "The draws spread as if the systems had different sentences: are the rows the same?"
        )
    if abs(found.mean() - true) > 0.01:
        raise WrongAnswer(f"The mean is {found.mean():.3f}, far off. Second less first is wanted.")
    return Right(f"The draws spread by {found.std():.3f}; torn apart it was {apart:.3f}.")


def check_interval_widths(answer: dict) -> Right:
    """Widths of the 95 % bootstrap interval of a share of 0.3 on 25, 100 and 400 sentences."""
    rng, truth = np.random.default_rng(1), {}
    for n in (25, 100, 400):
        low, high = np.percentile(rng.binomial(n, round(0.3 * n) / n, 20_000) / n, [2.5, 97.5])
        truth[n] = float(high - low)
    hint = {
        None: "Upper end less lower end, of shares from 0 to 1: not half of it, no percentages.",
        0: "Drawn without replacement, it is the same sentences each time.",
    }
    return check_prediction(answer, truth, dict.fromkeys(truth, hint), 0.03, "Half, and half.")
