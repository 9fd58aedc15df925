"""What all checkers share: compare an answer with the right one, and say what is wrong with it.

An answer is a prediction, a number or a function. A checker in the files beside this one names the
right answer and the mistakes that people make. A mistake is itself an answer; whoever gives it is
told its hint. For a function the message shows an input on which the answer goes wrong.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor


class WrongAnswer(AssertionError):
    """An answer is not right yet; the message says what is wrong with it."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the message, without a traceback of the checker's own code."""
        return [f"Not yet. {self}"]


class Right(str):
    """What a checker returns for a right answer; a cell that ends in it shows the sentence."""

    def __repr__(self) -> str:
        return f"Right. {self}".strip()


def check_prediction(
    given: Any,
    truth: Any,
    hints: Mapping[Any, Any] | str | None = None,
    tolerance: float = 0.0,
    praise: str = "",
) -> Right:
    """Compare what a reader predicts with what is so.

    Args:
        given, truth: a value (shape, number, word), or a dictionary of them with the same keys.
        hints: for a dictionary key -> hint, for a value the hint. A hint is a text, or a dictionary
            wrong value -> text, whose key `None` stands for all other values. No hint gives the
            right value away.
        tolerance: how far a number may be off.

    Raises:
        WrongAnswer: something is missing, or differs; the first such entry is named.
    """
    if not isinstance(truth, Mapping):
        given, truth, hints = {"": given}, {"": truth}, {"": hints or ""}
    if not isinstance(given, Mapping) or set(given) != set(truth):
        raise WrongAnswer(f"A dictionary with the keys {list(truth)} is wanted, not {given!r}.")
    for key, right in truth.items():
        name = f"{key}: " if key != "" else ""
        value = given[key]
        if value is ... or value is None:
            raise WrongAnswer(f"{name}put your own answer in the place of the dots.")
        if not _same_value(value, right, tolerance):
            hint = hints.get(key, "") if isinstance(hints, Mapping) else ""
            if isinstance(hint, Mapping):
                matches = (text for wrong, text in hint.items() if _same_value(value, wrong, 0.0))
                hint = next(matches, hint.get(None, ""))
            raise WrongAnswer(f"{name}{_show(value)} is not what comes out. {hint}".strip())
    return Right(praise)


def _same_value(value: Any, right: Any, tolerance: float) -> bool:
    if isinstance(value, Tensor | np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(right, list | tuple):
        return (
            isinstance(value, list | tuple)
            and len(value) == len(right)
            and all(_same_value(v, r, tolerance) for v, r in zip(value, right, strict=True))
        )
    numbers = int | float
    if isinstance(right, bool) or not (isinstance(right, numbers) and isinstance(value, numbers)):
        return type(value) is type(right) and value == right
    return not isinstance(value, bool) and abs(value - right) <= tolerance + 1e-9


def check_function(
    function: Callable,
    right: Callable,
    cases: Sequence[tuple],
    mistakes: Mapping[str, Callable] | None = None,
    praise: str = "",
    tolerance: float = 1e-5,
) -> Right:
    """Run a reader's function beside the right one.

    Args:
        function: the reader's; its tensors may not be changed in place.
        right: the function to agree with.
        cases: inputs, a tuple each; the first on which the answer goes wrong is shown.
        mistakes: hint -> a function that makes this mistake. Where the answer agrees with it and
            not with `right`, the hint is told.

    Raises:
        WrongAnswer: the function fails, changes its input, or returns something else.
    """
    for inputs in cases:
        given = _copy(inputs)
        try:
            result = function(*given)
        except Exception as error:  # whatever a reader's code may raise
            told = f"{type(error).__name__}: {error}"
            raise WrongAnswer(f"For {_show_all(inputs)} it fails with {told}") from None
        if difference(given, inputs, tolerance=0):
            raise WrongAnswer(f"It changes its input in place. Before: {_show_all(inputs)}.")
        expected = right(*_copy(inputs))
        problem = difference(result, expected, tolerance)
        if not problem:
            continue
        problem = _recognise(result, inputs, mistakes or {}, tolerance) or problem
        raise WrongAnswer(
            f"{problem}\nFor {_show_all(inputs)}\nit gives {_show(result)},\n"
            f"and {_show(expected)} is right."
        )
    return Right(praise)


def _recognise(result: Any, inputs: tuple, mistakes: Mapping, tolerance: float) -> str:
    """The hint of the mistake that gives this result, or ""."""
    for hint, wrong in mistakes.items():
        with suppress(Exception):  # a mistake may fail where the right function does not
            if not difference(result, wrong(*_copy(inputs)), tolerance):
                return hint
    return ""


def difference(result: Any, expected: Any, tolerance: float = 1e-5) -> str:
    """What is wrong with a result, in a sentence; "" where it is as expected (NaN equals NaN)."""
    if result is ... or result is None:
        return "It returns nothing yet: put your own code in the place of the dots."
    if isinstance(expected, tuple):
        if not isinstance(result, tuple) or len(result) != len(expected):
            return f"It should return {len(expected)} values, as a tuple."
        found = (difference(r, e, tolerance) for r, e in zip(result, expected, strict=True))
        return next(filter(None, found), "")
    if not isinstance(expected, Tensor):
        same = _same_value(result, expected, tolerance)
        return "" if same else "The result is not right."
    if not isinstance(result, Tensor):
        return f"It returns a {type(result).__name__}, and a tensor is wanted."
    if result.shape != expected.shape:
        return f"The shape is {tuple(result.shape)} and should be {tuple(expected.shape)}."
    if result.dtype != expected.dtype:
        return f"It holds {result.dtype}, and {expected.dtype} is wanted."
    if expected.dtype == torch.bool:
        if expected.numel() and torch.equal(result, ~expected):
            return "It is the wrong way round: False where True is right, everywhere."
        return "" if torch.equal(result, expected) else "Some entries are wrong."
    if result.isnan().any() and not expected.isnan().any():
        return "It holds NaN."
    same = torch.allclose(result, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    return "" if same else "The numbers differ."


def _copy(inputs: tuple) -> tuple:
    return tuple(x.detach().clone() if isinstance(x, Tensor) else x for x in inputs)


def _show_all(inputs: tuple) -> str:
    return ", ".join(map(_show, inputs))


def _show(value: Any) -> str:
    """A value in few characters: tensors as rounded lists, large ones as their shape."""
    if isinstance(value, tuple):
        return f"({_show_all(value)}{',' if len(value) == 1 else ''})"
    if not isinstance(value, Tensor):
        return repr(value)
    if value.numel() > 24:
        return f"a tensor of shape {tuple(value.shape)}"
    if value.is_floating_point():
        value = (value.detach().double() * 1e4).round() / 1e4
    return str(value.tolist())
