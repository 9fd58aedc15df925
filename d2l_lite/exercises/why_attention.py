"""Checkers of the exercises of "Why attention"."""

from collections.abc import Callable
from typing import Any

import torch

from d2l_lite.exercises.checking import Right, WrongAnswer, check_function, check_prediction
from d2l_lite.rnn import RNNEncoder


def check_numbers(numbers: dict[str, int]) -> Right:
    """How many numbers are in fixed context and outputs, and how far words are from the end."""
    encoder = RNNEncoder(10, embed_size=4, hidden_size=160, bidirectional=True)
    truth: dict[str, int] = {}
    hints: dict[str, Any] = {}
    for words in (6, 30):
        outputs, (hidden, _) = encoder(torch.zeros(1, words).long(), torch.tensor([words]))
        truth[f"fixed context, {words} words"] = hidden.numel()
        truth[f"outputs, {words} words"] = outputs.numel()
        both = "H = 160 holds both directions already, half of it each."
        hints[f"fixed context, {words} words"] = {
            320: both,
            None: "Its size does not depend on the sentence.",
        }
        hints[f"outputs, {words} words"] = {
            320 * words: both,
            None: "There is one state for each word.",
        }
    truth["farthest word, both directions"] = max(min(s, 29 - s) for s in range(30))
    truth["farthest word, forwards"] = 29
    hints["farthest word, both directions"] = "There are two ends: which words are far from both?"
    hints["farthest word, forwards"] = "The context is the state after the last word: count steps."
    return check_prediction(numbers, truth, hints, praise="A suitcase of one size.")


def check_left(function) -> Right:
    """A function n, keep -> gradient of the toy reader's last state by each number, (n,)."""

    def right(n, keep):
        return torch.tensor([keep**steps for steps in range(n - 1, -1, -1)])

    mistakes = {
        "It is turned round: the number that was read last counts in full.": (
            lambda n, keep: right(n, keep).flip(0)
        ),
        "One step too many: the last number has not been through any step.": (
            lambda n, keep: keep * right(n, keep)
        ),
        "A constant amount is taken off. With each step a share is lost: multiply.": (
            lambda n, keep: 1 - (1 - keep) * torch.arange(n - 1.0, -1, -1)
        ),
    }
    return check_function(function, right, [(4, 0.5), (3, 0.9)], mistakes, "It falls at each step.")


def check_exact(function) -> Right:
    """A function of two lists of words -> whether they are the same list."""
    mistakes = {
        "A translation that breaks off, or goes on too long, is counted as exact.": (
            lambda words, reference: all(map(str.__eq__, words, reference))
        ),
        "The same words in another order are another sentence.": (
            lambda words, reference: sorted(words) == sorted(reference)
        ),
        "One wrong word is enough for a sentence not to be exact.": (
            lambda words, reference: any(map(str.__eq__, words, reference))
        ),
    }
    right = ["tom", "dort", "."]
    answers = [["tom", "joue", "."], right[:2], [], [*right, "."], ["dort", "tom", "."], [*right]]
    cases = [(words, right) for words in answers]
    return check_function(function, list.__eq__, cases, mistakes, "Word for word.")


def check_gate(extra: int, first_to_last: Callable[[int], float]) -> Right:
    """The smallest whole addition to the forget bias with which the first word is heard.

    `first_to_last`, the chapter's function, measures how strongly the first word acts on the last
    state, as a share of how strongly the last word does.
    """
    if type(extra) is not int:
        raise WrongAnswer(f"A whole number is wanted, not {extra!r}.")
    share = first_to_last(extra)
    if share < 0.05:
        raise WrongAnswer(f"With {extra} the share of the first word is {share:.2g}: too little.")
    if first_to_last(extra - 1) >= 0.05:
        raise WrongAnswer(f"With {extra} it is heard, but a smaller number is enough.")
    return Right(f"With {extra} the first word has {share:.2g} of the last word's influence.")
