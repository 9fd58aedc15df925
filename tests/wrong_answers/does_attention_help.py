"""Plausible wrong answers to the exercises of "Does attention help?"."""

from statistics import mean

import torch

COST = {"dot": 2_000, "additive, keys once": 22_000, "additive, keys anew": 112_000}


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


def new_model(part, merge=mean):
    """A comparison that builds a model for each seed, scores on `part`, and merges the scores."""

    def compare(builds, fit, score, parts, seeds):
        found = {}
        for name, build in builds.items():
            scores = []
            for seed in seeds:
                torch.manual_seed(seed)
                model = build()
                fit(model, parts.train)
                scores.append(score(model, getattr(parts, part)))
            found[name] = merge(scores)
        return found

    return compare


def gain(a, b):
    return mean(b) - mean(a)


WRONG = {
    "check_cost": [
        ({**COST, "dot": 1_000}, "scores alone"),
        ({**COST, "additive, keys once": 112_000}, "shared by T words"),
        ({**COST, "additive, keys once": 12_000}, "left out"),
        ({**COST, "additive, keys anew": 22_000}, "pays for all"),
        ({**COST, "additive, keys anew": 102_000}, "the query as well"),
        ({**COST, "dot": ...}, "the dots"),
    ],
    "check_compare_seeds": [
        (lambda a, b: (gain(b, a), min(b) > max(a) or min(a) > max(b)), "sign is wrong"),
        (lambda a, b: (max(b) - max(a), min(b) > max(a) or min(a) > max(b)), "luckiest"),
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
    ],
    "check_share": [
        ([0.14, final_loss], "divide it"),
        ([5.0, final_loss], "upside down"),
        ([0.8, final_loss], "missing"),
        ([0.5, final_loss], "divided by the gain"),
        ([..., final_loss], "the dots"),
    ],
}
