"""Plausible wrong answers to the exercises of the chapter on reading heatmaps."""

import torch

import d2l_lite as d2l

NUMBERS = {"error rate": 3 / 7, "best": 1 / 7, "mass": 0.533}


def rate(links, gold):
    return 1 - 2 * len(links & set(gold)) / (len(links) + len(gold))


def by_source_word(weights, gold):
    return rate({(s, int(t)) for s, t in enumerate(weights.argmax(dim=0))}, gold)


def turned(weights, gold):
    return rate({(t, int(s)) for t, s in enumerate(weights.argmax(dim=1))}, gold)


def pairs_of_tensors(weights, gold):
    return rate({(s, t) for t, s in enumerate(weights.argmax(dim=1))}, gold)


def one_hot(scores):
    best = scores.argmax(dim=-1, keepdim=True)
    return torch.zeros_like(scores).scatter(-1, best, 1.0)


def unmeasured(function):
    return 0.0, 0.0, 0.0


def padding_too(scores, valid):
    return one_hot(scores)


def zero_hidden(scores, valid):
    return one_hot(scores * valid)


def wrong_way_round(scores, valid):
    return one_hot(scores.masked_fill(valid, -torch.inf))


def old_weight(scores, valid):
    hidden = scores.masked_fill(~valid, -torch.inf)
    return d2l.masked_softmax(scores, valid) * one_hot(hidden)


def numbers(scores, valid):
    return scores.masked_fill(~valid, -torch.inf).argmax(dim=-1)


def in_place(scores, valid):
    return one_hot(scores.masked_fill_(~valid, -torch.inf))


WRONG = {
    "check_scores_by_hand": [
        ({**NUMBERS, "error rate": 1 / 3}, "both sides"),
        ({**NUMBERS, "error rate": 0.57}, "missing to 1"),
        ({**NUMBERS, "best": 0}, "three at most"),
        ({**NUMBERS, "best": 0.25}, "three links that are all in G"),
        ({**NUMBERS, "mass": 0.4}, "divide by the three words"),
    ],
    "check_query_effect": [
        (lambda w: (w - w.mean(1, True)).abs().sum(1).mean(), "average over the queries"),
        (lambda w: (w - w.mean(0)).sum(1).mean(), "both signs cancel"),
        (lambda w: (w - w.mean(0)).abs().sum(), "number of rows"),
        (lambda w: (w - w.mean(0)).abs().mean(), "added up"),
    ],
    "check_error_rate": [
        (turned, r"a gold link is \(source, target\)"),
        (by_source_word, "target words that attend"),
        (pairs_of_tensors, "pairs of integers"),
    ],
    "check_strongest": [
        ([padding_too, unmeasured], "Padding is attended to"),
        ([zero_hidden, unmeasured], "larger than a negative"),
        ([wrong_way_round, unmeasured], "wrong way round"),
        ([old_weight, unmeasured], "must sum to 1"),
        ([numbers, unmeasured], r"shape is \(2, 2\)"),
        ([in_place, unmeasured], "in place"),
    ],
}
