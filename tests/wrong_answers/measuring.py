"""Plausible wrong answers to the exercises of the chapter on measuring a translation."""

import math
from collections import Counter

import torch

NUMBERS = {"words": 0.6, "pairs": 0.25, "brevity": math.exp(-0.4)}


def grams(words, n):
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def unclipped(words, references, n):
    return sum(c for g, c in grams(words, n).items() if any(g in grams(r, n) for r in references))


def added(words, references, n):
    return (grams(words, n) & sum((grams(r, n) for r in references), Counter())).total()


def first_only(words, references, n):
    return (grams(words, n) & grams(references[0], n)).total()


def best_reference(words, references, n):
    return max((grams(words, n) & grams(reference, n)).total() for reference in references)


def distinct(words, references, n):
    return len(set(grams(words, n)) & {g for r in references for g in grams(r, n)})


def torn(first, second):
    rows, others = torch.randint(len(first), (2, len(first)))
    return float(second[others].mean() - first[rows].mean())


def without_replacement(first, second):
    rows = torch.randperm(len(first))
    return float((second[rows] - first[rows]).mean())


def other_sign(first, second):
    rows = torch.randint(len(first), (len(first),))
    return float((first[rows] - second[rows]).mean())


WRONG = {
    "check_bleu_numbers": [
        ({**NUMBERS, "words": 1.0}, "words: .* at most as often"),
        ({**NUMBERS, "words": 3 / 7}, "words .written."),
        ({**NUMBERS, "pairs": 0.2}, "four pairs"),
        ({**NUMBERS, "pairs": 0.75}, "no pair of the reference"),
        ({**NUMBERS, "brevity": math.exp(0.4)}, "below 1"),
        ({**NUMBERS, "brevity": 5 / 7}, "e to a negative power"),
        ({**NUMBERS, "brevity": ...}, "place of the dots"),
    ],
    "check_clipped_matches": [
        (unclipped, "not clipped"),
        (added, "largest of them"),
        (first_only, "Only the first reference"),
        (best_reference, "for each n-gram by itself"),
        (distinct, "counts once only"),
        (lambda words, references, n: None, "returns nothing yet"),
    ],
    "check_brevity": [
        (lambda c, r: 1.0 if c > r else math.exp(1 - c / r), "upside down"),
        (lambda c, r: math.exp(r / max(c, 1) - 1), "wrong sign"),
        (lambda c, r: math.exp(1 - r / c) if c else 0.0, "never above 1"),
        (lambda c, r: min(1.0, c / r), "plain ratio"),
        (lambda c, r: min(1.0, math.exp(c / r - 1)), "under the exponential"),
        (lambda c, r: min(1.0, math.exp(1 - r / c)), "ZeroDivisionError"),
    ],
    "check_one_difference": [
        (torn, "are the rows the same"),
        (without_replacement, "without replacement"),
        (other_sign, "Second less first"),
    ],
    "check_interval_widths": [
        ({25: 0.18, 100: 0.09, 400: 0.045}, "not half of it"),
        ({25: 36.0, 100: 18.0, 400: 9.0}, "no percentages"),
        ({25: 0.36, 100: 0.36, 400: 0.36}, "100: .* Upper end"),
        ({25: 0.0, 100: 0.0, 400: 0.0}, "without replacement"),
        ({25: 0.36, 100: 0.18}, "A dictionary with the keys"),
    ],
}
