"""Checkers of the chapter with one fair table."""

from collections.abc import Callable, Iterator
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from d2l_lite.exercises.checking import Right, WrongAnswer, check_function, check_prediction
from d2l_lite.models import build_model


def _tensors(state) -> Iterator[Tensor]:
    """All tensors of numbers in a decoder's state, masks left out."""
    if isinstance(state, Tensor):
        yield from [state] if state.is_floating_point() else []
    elif isinstance(state, tuple | list):
        for part in state:
            yield from _tensors(part)


def _carried(name: str, words: int, sources: int = 20, **sizes: Any) -> int:
    """How many numbers an untrained decoder hands on after so many words."""
    vocabs: Any = range(30), range(40)  # what counts of a vocabulary here is its length
    model = build_model(name, *vocabs, **sizes).eval()
    with torch.inference_mode():
        state = model.start(torch.ones(1, sources, dtype=torch.long), torch.tensor([sources]))
        _, _, state = model.decoder.read(torch.ones(1, words, dtype=torch.long), state)
    return sum(part.numel() for part in _tensors(state))


def check_carried(prediction: dict) -> Right:
    """Numbers in a state, S=20: conv E=40, H=100, three blocks, k=3; Transformer D=60, two."""
    conv = {"embed_size": 40, "hidden_size": 100, "num_layers": 3, "kernel_size": 3}
    transformer = {"width": 60, "num_heads": 4, "feed_forward_size": 120, "num_layers": 2}
    truth = {
        f"{name}, {words} words": _carried(name, words, **sizes)
        for name, sizes in {"conv": conv, "transformer": transformer}.items()
        for words in (10, 20)
    }
    short, long = 2 * 2 * 60 * 10, 2 * 2 * 60 * 20
    hints = {
        "conv, 10 words": {
            600: "What each block has read last is there. And the source?",
            1400: "Queries look for one of the encoder's outputs and find the other.",
            1800: "Each block has a window of its own.",
            2500: "A window's last word is the new one: k - 1 are remembered.",
            None: "Conved and combined of the source, and k - 1 vectors for each block.",
        },
        "conv, 20 words": "Does a window grow with the number of words written?",
        "transformer, 10 words": {
            short: "That is the target side. Source keys and values are carried as well.",
            long: "That is the source side. The words written have keys and values, too.",
            (short + long) // 2: "A key and a value for each word, in each block.",
            (short + long) * 4: "The heads share the width D.",
            None: "Two blocks, a key and a value of D numbers, for words of both sides.",
        },
        "transformer, 20 words": "Ten words more, in each block a key and a value for each.",
    }
    return check_prediction(prediction, truth, hints, 0, "One of the two grows with each word.")


def _unbeaten(scores: dict, better: Callable = lambda a, b: min(a) > max(b)) -> list[str]:
    """The names that no other beats."""
    return [n for n, own in scores.items() if not any(better(s, own) for s in scores.values())]


def check_unbeaten(function) -> Right:
    """A function (name -> list of scores) -> list of the names that no other beats, in order."""
    mistakes = {
        "Equal scores do not beat each other.": (
            lambda scores: [
                n
                for n, own in scores.items()
                if not any(min(s) >= max(own) for m, s in scores.items() if m != n)
            ]
        ),
        "It picks the highest mean. A mean alone beats nobody.": (
            lambda scores: _unbeaten(scores, lambda a, b: mean(a) > mean(b))
        ),
        "It picks the luckiest seed.": (
            lambda scores: _unbeaten(scores, lambda a, b: max(a) > max(b))
        ),
        "It compares with the highest mean alone; another, with a narrower range, may win.": (
            lambda scores: [
                n for n in scores if max(scores[n]) >= min(max(scores.values(), key=mean))
            ]
        ),
        "It keeps the beaten ones.": (
            lambda scores: [n for n in scores if n not in _unbeaten(scores)]
        ),
    }
    cases = [
        ({"a": [12.0, 13.0], "b": [28.0, 28.5], "c": [26.0, 27.9, 30.0], "d": [27.0, 27.5]},),
        ({"a": [25.0, 26.0], "b": [20.0, 40.0], "c": [27.0, 28.0]},),
        ({"a": [30.0, 31.0], "b": [31.0, 32.0]},),
    ]
    return check_function(function, _unbeaten, cases, mistakes, "Sometimes nobody wins alone.")


def _number(value):
    return value.item() if isinstance(value, Tensor) and value.numel() == 1 else value


def check_best_head(function) -> Right:
    """(valid (A,), test (A,)), error rates -> what to report of the best head, a float."""
    mistakes = {
        "The test part chooses here: of many heads the luckiest is shown.": (
            lambda valid, test: test.min().item()
        ),
        "That is the rate on the sentences that have chosen the head.": (
            lambda valid, test: valid.min().item()
        ),
        "It chooses the worst: a *low* error rate is good.": (
            lambda valid, test: test[valid.argmax()].item()
        ),
        "That is the number of the head.": lambda valid, test: valid.argmin().item(),
    }
    rates = torch.tensor([[0.30, 0.12, 0.50], [0.28, 0.14, 0.47]], dtype=torch.float64)
    others = torch.tensor([[0.20, 0.13, 0.12], [0.22, 0.11, 0.15]], dtype=torch.float64)
    cases = [tuple(rates), tuple(others)]
    return check_function(
        lambda *given: _number(function(*given)),
        lambda valid, test: test[valid.argmin()].item(),
        cases,
        mistakes,
        "Chosen on one part, reported on the other.",
    )


def check_longer(lost: dict, bleu_on: Callable) -> Right:
    """Family -> points of BLEU lost from 20-30 words to 36-50; bleu_on(family, low, high) tells."""
    families = ("rnn-attention", "conv", "transformer")
    before, after = ({f: bleu_on(f, *words) for f in families} for words in ((20, 30), (36, 50)))
    truth = {family: before[family] - after[family] for family in families}
    for family, value in lost.items() if isinstance(lost, dict) else ():
        if family not in truth or not isinstance(value, int | float):
            continue
        for hint, wrong in {
            "That is what is left; what is lost is wanted.": after[family],
            "The sign is wrong: points that are lost count as positive.": -truth[family],
            "That is a share of the score; points are wanted.": truth[family] / before[family],
        }.items():
            if abs(value - wrong) < 0.06 < abs(value - truth[family]):
                raise WrongAnswer(f"{family}: {hint}")
    hints = dict.fromkeys(truth, "BLEU on 20 to 30 words, less BLEU on 36 to 50.")
    return check_prediction(lost, truth, hints, 0.06, "Lengths never seen are a test of their own.")
