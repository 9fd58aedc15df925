"""Training, replayed: epoch by epoch the losses, and where the model looks in one sentence."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from typing import Any

from d2l_lite.figures.cross_attention import fitting, rounded
from d2l_lite.figures.figure import Control, Figure, Value

LONGEST = 16  # words of a sentence that still fit
LINES = {"train": "training", "valid": "validation"}
WIDTH, LEFT, RIGHT = 420, 46, 400  # of the picture, and the ends of the axis of epochs
HIGH, LOW = 52, 168  # where the largest and the smallest loss are drawn
ROW = 24  # height of a word's row in the heatmap


def training(
    history: Sequence[Mapping[str, Any]],
    weights: Sequence[Any],
    source_words: Sequence[str],
    target_words: Sequence[str],
    translations: Sequence[str] | None = None,
) -> Figure:
    """A figure of a training: two lines of losses, and the heatmap of one sentence at each epoch.

    Args:
        history: for each epoch a dict with `epoch`, `train_loss` and `valid_loss` (nats a word;
            None where it was not measured), as `fit` returns them.
        weights: for each epoch weights (T, S) of the sentence.
        source_words: S words; target_words: T words, both at most 16.
        translations: for each epoch what the model makes of the sentence.

    Raises:
        ValueError: fewer than two epochs, not one heatmap or translation an epoch, epochs that do
            not follow each other, a loss that is not positive and finite, no words or too many,
            weights that are not (T, S) or not within 0 and 1.
    """
    source, target = fitting(source_words, target_words, LONGEST)
    for name, given in (("heatmap", weights), ("translation", translations)):
        if given is not None and len(given) != len(history):
            raise ValueError(f"need one {name} an epoch: {len(given)} for {len(history)} epochs")
    losses = _losses(history)
    data = {"first": history[0]["epoch"], "losses": losses, "places": _places(losses)}
    data["weights"] = [rounded(grid, len(target), len(source)) for grid in weights]
    data["translations"] = None if translations is None else list(translations)
    first, last = data["first"], history[-1]["epoch"]

    return Figure(
        name="training",
        alt="Above, the falling lines of the losses with a marker at one epoch. Below, the "
        "heatmap of one sentence at that epoch, source words across, target words down.",
        controls=(Control("epoch", "epoch", last, first, last, 1),),
        svg=_draw(data, source, target),
        says="After epoch {epoch:0}: training loss {train:3}, validation loss {valid:3}."
        + (" It writes: {writes}" if translations is not None else ""),
        compute=partial(_compute, data),
        data=data,
    )


def _losses(history: Sequence[Mapping[str, Any]]) -> dict[str, list[float | None]]:
    epochs = [epoch["epoch"] for epoch in history]
    if len(epochs) < 2 or epochs != list(range(epochs[0], epochs[0] + len(epochs))):
        raise ValueError(f"need two epochs or more that follow each other, not {epochs}")
    losses = {name: [epoch.get(f"{name}_loss") for epoch in history] for name in LINES}
    for loss in (loss for line in losses.values() for loss in line if loss is not None):
        if not 0 < loss < math.inf:
            raise ValueError(f"a loss must be positive and finite, not {loss}")
    return losses


def _places(losses: Mapping[str, Sequence[float | None]]) -> dict[str, list[float | None]]:
    """How high in the picture each loss is, on a logarithmic scale."""
    known = [loss for line in losses.values() for loss in line if loss is not None]
    if not known:
        raise ValueError("no loss was measured in any epoch")
    return {
        name: [loss and round(_height(loss, min(known), max(known)), 1) for loss in line]
        for name, line in losses.items()
    }


def _height(loss: float, low: float, high: float) -> float:
    share = math.log(high / loss) / (math.log(high / low) or 1.0)
    return HIGH + (LOW - HIGH) * share


def _compute(data: Mapping[str, Any], values: Mapping[str, Value]) -> dict[str, Value]:
    at = values["epoch"] - data["first"]
    found = {"epoch": values["epoch"]}
    for name, losses in data["losses"].items():
        known = losses[at] is not None
        found |= {name: losses[at] if known else "not measured", f"{name}_seen": float(known)}
        found[f"{name}_y"] = data["places"][name][at] if known else 0.0
    if data["translations"]:
        found["writes"] = data["translations"][at]
    for t, row in enumerate(data["weights"][at]):
        found |= {f"w{t}_{s}": weight for s, weight in enumerate(row)}
    return found


def _draw(data: Mapping[str, Any], source: Sequence[str], target: Sequence[str]) -> str:
    """Above the losses over the epochs, below the heatmap."""
    epochs = len(data["weights"])
    span = round((RIGHT - LEFT) / (epochs - 1), 3)
    x = f"epoch*{span}+{LEFT - data['first'] * span:.3f}"  # where an epoch is
    every = math.ceil(epochs / 12)
    numbers = "".join(
        f'<text x="{LEFT + i * span:.1f}" y="{LOW + 24}">{data["first"] + i}</text>'
        for i in range(0, epochs, every)
    )
    lines = "".join(
        _line(name, i, x, [LEFT + j * span for j in range(epochs)], data["places"][name])
        for i, name in enumerate(LINES)
    )
    top = LOW + 60 + 6 * max(map(len, source))  # of the heatmap: its heads are slanted words
    height = top + ROW * len(target) + 6
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}">'
        f'<text class="start" x="0" y="14">loss per word</text>{_ticks(data["losses"])}{numbers}'
        f'<text x="{(LEFT + RIGHT) / 2}" y="{LOW + 42}">epoch</text>'
        f'<path class="axis" data-set-d="M{{{x}}} {HIGH - 8}V{LOW + 8}"/>{lines}'
        f'<rect class="track" x="{LEFT - 14}" width="{RIGHT - LEFT + 28}" y="{HIGH - 10}" '
        f'height="{LOW - HIGH + 40}" data-drag-x="{x}"/>{_grid(source, target, top)}</svg>'
    )


def _ticks(losses: Mapping[str, Sequence[float | None]]) -> str:
    """Level lines at 1, 3, 10, … or, where fewer than two are in reach, at the two ends."""
    known = [loss for line in losses.values() for loss in line if loss is not None]
    low, high = min(known), max(known)
    steps = [digit * 10.0**power for power in range(-6, 4) for digit in (1, 3)]
    inside = [step for step in steps if low <= step <= high]
    levels = inside if len(inside) > 1 else sorted({low, high})
    marks = [(step, _height(step, low, high)) for step in levels]
    return "".join(
        f'<text class="end" x="{LEFT - 16}" y="{y + 4:.1f}">{step:.2g}</text>'
        f'<path class="axis" d="M{LEFT - 10} {y:.1f}H{RIGHT + 10}"/>'
        for step, y in marks
    )


def _line(name: str, i: int, x: str, across: Sequence[float], places: Sequence[object]) -> str:
    """The losses of one part as a line, the marker on it, and its name with the loss."""
    points = " ".join(f"{x:.1f},{y}" for x, y in zip(across, places, strict=True) if y is not None)
    dash = ' stroke-dasharray="6 4"' if i else ""
    y = 14 + 18 * i
    return (
        f'<g class="plain"><polyline class="link" stroke-width="2"{dash} points="{points}"/>'
        f'<path class="link" stroke-width="2"{dash} d="M200 {y - 4}h28"/></g>'
        f'<text class="start" x="234" y="{y}">{LINES[name]}</text>'
        f'<text class="end" x="{WIDTH - 10}" y="{y}" data-set-text="{{{name}:3}}"/>'
        f'<circle class="query cell" r="5" data-set-cx="{{{x}}}" data-set-cy="{{{name}_y}}" '
        f'data-set-opacity="{{{name}_seen}}"/>'
    )


def _grid(source: Sequence[str], target: Sequence[str], top: int) -> str:
    """The heatmap: a cell for each weight, source words above it and target words at its left."""
    left = 8 * max(map(len, target)) + 16
    wide = min(44.0, (WIDTH - left - 50) / len(source))
    heads = "".join(
        f'<text class="start" transform="translate({left + wide * (s + 0.4):.1f} {top - 6}) '
        f'rotate(-50)">{escape(word)}</text>'
        for s, word in enumerate(source)
    )
    sides = "".join(
        f'<text class="end" x="{left - 8}" y="{top + ROW * t + 17}">{escape(word)}</text>'
        for t, word in enumerate(target)
    )
    cells = "".join(
        f'<rect class="cell" x="{left + wide * s:.1f}" y="{top + ROW * t}" '
        f'width="{wide - 1:.1f}" height="{ROW - 1}" data-set-fill-opacity="{{w{t}_{s}}}"/>'
        for t in range(len(target))
        for s in range(len(source))
    )
    return f'{heads}{sides}<g class="weight heat">{cells}</g>'
