"""Checkers of the exercises of the chapter on the data."""

from typing import Any

import torch

from d2l_lite.data import Batches, Pair, build_vocabs, load_pairs, split_pairs
from d2l_lite.exercises.checking import Right, WrongAnswer, check_function, check_prediction
from d2l_lite.vocab import BOS, EOS, PAD

_THREE = [
    Pair("Close the windows!", "Ferme les fenêtres !"),
    Pair("What is Paul eating?", "Qu'est-ce que Paul mange ?"),
    Pair("Anna isn't at the hotel.", "Anna n'est pas à l'hôtel."),
]


def check_batch_shapes(answer: dict) -> Right:
    """Shapes of a batch of three pairs, its target lengths, its padded source positions."""
    batches = Batches(_THREE, *build_vocabs(_THREE))
    (batch,) = batches
    truth: dict[str, Any] = {
        "src": tuple(batch.src.shape),
        "tgt": tuple(batch.tgt.shape),
        "decoder reads": tuple(batch.tgt[:, :-1].shape),
        "tgt_len": tuple(batches.tgt.lengths.tolist()),
        "padding": int((batch.src == PAD).sum()),
    }
    count = "Batch first, then the longest row. Count the pieces: punctuation, n't, n', l', -ce."
    without = "A target row has <bos> and <eos> beside its words: two more, not one or none."
    rows, longest = truth["tgt"]
    hints = {
        "src": count,
        "tgt": {(rows, longest - 2): without, (rows, longest - 1): without, None: count},
        "decoder reads": "The last column of the target, and no other, is never read.",
        "tgt_len": "The valid length of a target row counts <bos> and <eos>, and no <pad>.",
        "padding": "For each source row: the longest row's length less its own.",
    }
    return check_prediction(answer, truth, hints, praise="The batch is packed.")


def check_leak(function) -> Right:
    """A function (count, share) -> probability that a test line's sentence is in training."""
    mistakes = {
        "That is how likely *all* the other lines are in training; one is enough.": (
            lambda count, share: (1 - share) ** (count - 1)
        ),
        "That is how likely *none* of the other lines is in training.": (
            lambda count, share: share ** (count - 1)
        ),
        "One line is in the test part already: only the others can be in training.": (
            lambda count, share: 1 - share**count
        ),
        "That is how likely another line is in the *test* part.": (
            lambda count, share: 1 - (1 - share) ** (count - 1)
        ),
        "It does not depend on how many translations there are.": lambda count, share: 1 - share,
    }
    cases = [(3, 0.2), (2, 0.1), (1, 0.1), (26, 0.02)]
    return check_function(function, lambda c, s: 1 - s ** (c - 1), cases, mistakes, "So it is.")


def check_target_row(function) -> Right:
    """A function (word numbers, max_len) -> row from BOS to EOS of at most max_len numbers."""

    def cut_at(room):
        return lambda words, n: [BOS, *words[: n + room], EOS]

    mistakes = {
        "It is cut as before: <eos> is lost.": lambda words, n: [BOS, *words, EOS][:n],
        "It is too long: <bos> and <eos> need room as well.": cut_at(0),
        "It is one too long: there are two special tokens.": cut_at(-1),
        "There is room for one word more.": cut_at(-3),
        "It does not begin with <bos>.": lambda words, n: [*words[: n - 1], EOS],
    }
    cases = [([7, 8, 9, 10, 11], 5), ([7, 8, 9], 5), ([7, 8], 10)]
    return check_function(function, cut_at(-2), cases, mistakes, "It can stop.")


def check_order(function) -> Right:
    """A function of source and target lengths (R,), (R,) -> row numbers (R,), each once."""
    train = split_pairs(load_pairs("mini-fra")).train
    batches = Batches(train, *build_vocabs(train))
    lengths = {"source": batches.src.lengths, "target": batches.tgt.lengths}
    order = function(*(side.clone() for side in lengths.values()))
    rows = torch.arange(len(train))
    if not (isinstance(order, torch.Tensor) and torch.equal(order.sort().values, rows)):
        raise WrongAnswer(
            "A tensor with each row number once is wanted. `sort` gives lengths, not rows."
        )
    shares = {}
    for side, length in lengths.items():
        parts = length[order].split(batches.batch_size)
        shares[side] = 1 - length.sum().item() / sum(len(p) * int(p.max()) for p in parts)
    told = ", ".join(f"{share:.1%} of the {side} side" for side, share in shares.items())
    if worst := [side for side, share in shares.items() if share >= 0.05]:
        raise WrongAnswer(f"Padding is {told}. Too much is left of: {' and '.join(worst)}.")
    return Right(f"Padding is {told}.")
