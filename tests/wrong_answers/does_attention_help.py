"""Plausible wrong answers to the exercises of "Does attention help?"."""

from statistics import mean

import torch

COST = {"dot": 4_000, "additive, keys once": 34_000, "additive, keys anew": 214_000}


def final_loss(model, hidden_size):
    """Losses as they might come out: twice the size brings a fifth of what attention does."""
    return {("rnn", 48): 1.7, ("rnn", 96): 1.56, ("rnn-attention", 48): 1.0}[model, hidden_size]


def same_model(part):
    """A comparison that builds one model for all seeds, and scores on `part`."""

    def compare(builds, fit, score, parts, seeds):
        means = {}
        for name, build in builds.items():
            model, scores = build(), []
            for seed in seeds:
                torch.manual_seed(seed)
                fit(model, parts.train)
                scores.append(score(model, getattr(parts, part)))
            means[name] = mean(scores)
        return means

    return compare


def new_model(part, merge=mean, late=False):
    """A comparison that builds a model for each seed, scores on `part`, and merges the scores.

    With `late` it sets the seed only after the model is built.
    """

    def compare(builds, fit, score, parts, seeds):
        found = {}
        for name, build in builds.items():
            scores = []
            for seed in seeds:
                model = build() if late else None
                torch.manual_seed(seed)
                model = model or build()
                fit(model, parts.train)
                scores.append(score(model, getattr(parts, part)))
            found[name] = merge(scores)
        return found

    return compare


def gain(a, b):
    return mean(b) - mean(a)


WRONG = {
    "check_cost": [
        ({**COST, "dot": 2_000}, "scores alone"),
        ({**COST, "dot": 40_000}, "for one target word"),
        ({**COST, "additive, keys once": 214_000}, "shared by T words"),
        ({**COST, "additive, keys once": 14_000}, "of the keys is left out"),
        ({**COST, "additive, keys once": 24_000}, "of the query is left out"),
        ({**COST, "additive, keys anew": 34_000}, "pays for all"),
        ({**COST, "additive, keys anew": 204_000}, "of the query is left out"),
        ({**COST, "additive, keys anew": 2_014_000}, "the query as well"),
        ({**COST, "dot": ...}, "the dots"),
    ],
    "check_compare_seeds": [
        (lambda a, b: (gain(b, a), min(b) > max(a) or min(a) > max(b)), "sign is wrong"),
        (lambda a, b: (max(b) - max(a), min(b) > max(a) or min(a) > max(b)), "luckiest"),
        (
            lambda a, b: (gain(a[:2], b[:2]), min(b) > max(a) or min(a) > max(b)),
            "in pairs",
        ),
        (lambda a, b: (gain(a, b), min(b) > max(a)), "blind on one side"),
        (lambda a, b: (gain(a, b), gain(a, b) != 0), "not apart yet"),
        (lambda a, b: (gain(a, b), min(b) >= max(a) or min(a) >= max(b)), "touch"),
        (lambda a, b: gain(a, b), "2 values"),
    ],
    "check_comparison": [
        (same_model("valid"), "Two things"),
        (same_model("test"), "the \\*same\\* model"),
        (new_model("valid"), "chosen the epoch"),
        (new_model("train"), "trained on"),
        (new_model("test", max), "best seed"),
        (new_model("test", late=True), "come from its seed"),
    ],
    "check_share": [
        ([0.14, final_loss], "divide it"),
        ([5.0, final_loss], "upside down"),
        ([0.8, final_loss], "missing"),
        ([20, final_loss], "percent"),
        ([0.5, final_loss], "Divide the gain of 96"),
        ([..., final_loss], "the dots"),
    ],
}
