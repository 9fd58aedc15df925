"""Plausible wrong answers to the exercises of "One fair table"."""

from statistics import mean

CARRIED = {
    "conv, 10 words": 2_200,
    "conv, 20 words": 2_200,
    "transformer, 10 words": 7_200,
    "transformer, 20 words": 9_600,
}
LOST = {"rnn-attention": 15.0, "conv": 40.0, "transformer": 30.0}


def bleu_on(family, low, high):
    """Scores as they might come out: all lose, and not alike."""
    before = {"rnn-attention": 85.0, "conv": 80.0, "transformer": 70.0}[family]
    return before - (LOST[family] if low > 30 else 0.0)


WRONG = {
    "check_carried": [
        ({**CARRIED, "conv, 10 words": 600}, "And the source"),
        ({**CARRIED, "conv, 10 words": 1_400}, "one of the encoder's outputs"),
        ({**CARRIED, "conv, 10 words": 1_800}, "a window of its own"),
        ({**CARRIED, "conv, 10 words": 2_500}, "the new one"),
        ({**CARRIED, "conv, 10 words": 300_000}, "Conved and combined"),
        ({**CARRIED, "conv, 20 words": 2_800}, "grow"),
        ({**CARRIED, "transformer, 10 words": 2_400}, "target side"),
        ({**CARRIED, "transformer, 10 words": 4_800}, "source side"),
        ({**CARRIED, "transformer, 10 words": 3_600}, "A key and a value"),
        ({**CARRIED, "transformer, 10 words": 28_800}, "share the width"),
        ({**CARRIED, "transformer, 10 words": 60}, "of both sides"),
        ({**CARRIED, "transformer, 20 words": 14_400}, "Ten words more"),
        ({**CARRIED, "conv, 10 words": ...}, "the dots"),
    ],
    "check_unbeaten": [
        (lambda scores: [max(scores, key=lambda n: mean(scores[n]))], "highest mean. A mean"),
        (lambda scores: [max(scores, key=lambda n: max(scores[n]))], "luckiest"),
        (
            lambda scores: [
                n
                for n in scores
                if max(scores[n]) >= min(scores[max(scores, key=lambda m: mean(scores[m]))])
            ],
            "narrower range",
        ),
        (
            lambda scores: [
                n for n in scores if all(min(scores[m]) < max(scores[n]) for m in scores if m != n)
            ],
            "Equal scores",
        ),
        (
            lambda scores: [
                n for n in scores if any(min(own) > max(scores[n]) for own in scores.values())
            ],
            "keeps the beaten",
        ),
        (lambda scores: None, "nothing yet"),
    ],
    "check_best_head": [
        (lambda valid, test: test.min(), "luckiest"),
        (lambda valid, test: valid.min(), "have chosen the head"),
        (lambda valid, test: test[valid.argmax()], "worst"),
        (lambda valid, test: valid.argmin(), "number of the head"),
    ],
    "check_longer": [
        ([{**LOST, "conv": 40.0 - 80.0}, bleu_on], "sign is wrong"),
        ([{**LOST, "rnn-attention": 70.0}, bleu_on], "what is lost is wanted"),
        ([{**LOST, "rnn-attention": 15 / 85}, bleu_on], "share of the score"),
        ([{**LOST, "transformer": 12.0}, bleu_on], "less BLEU on 36 to 50"),
        ([{**LOST, "transformer": ...}, bleu_on], "the dots"),
        ([{"conv": 40.0}, bleu_on], "the keys"),
    ],
}
