"""Drag scores, hide words, change the temperature: what the masked softmax makes of it."""

from collections.abc import Mapping, Sequence
from functools import partial
from html import escape

import torch

from d2l_lite.attention import masked_softmax as softmax
from d2l_lite.figures.figure import Control, Figure, Value

HIGHEST = 4.0  # the largest score that one can set, and minus the smallest


def masked_softmax(
    scores: Sequence[float] = (2.0, 1.0, 0.0, -1.0, 0.5),
    words: Sequence[str] = ("le", "chat", "dort", ".", "<pad>"),
    valid: int = 4,
) -> Figure:
    """A figure of a masked softmax over up to eight scores; the first `valid` can be seen.

    Raises:
        ValueError: not one score a word, too many, a score beyond ±4, or `valid` beyond them.
    """
    size = len(words)
    if len(scores) != size or not 1 <= size <= 8:
        raise ValueError(f"need one score for each of up to 8 words: {len(scores)} for {size}")
    if max(map(abs, scores)) > HIGHEST:
        raise ValueError(f"scores must be within ±{HIGHEST:g}, not {max(scores, key=abs):g}")
    if not 0 <= valid <= size:
        raise ValueError(f"valid must be within 0 and {size}, not {valid}")
    sliders = tuple(
        Control(f"score{i}", f"score of {word}", float(score), -HIGHEST, HIGHEST, 0.1, drags=True)
        for i, (word, score) in enumerate(zip(words, scores, strict=True))
    )
    others = (
        Control("valid", "valid length", valid, 0, size, 1),
        Control("temperature", "temperature", 1.0, 0.1, 4.0, 0.1),
    )

    return Figure(
        name="masked_softmax",
        alt="Two rows of bars. Above, the scores, to be dragged; below, the weights.",
        controls=(*sliders, *others),
        svg=_draw(words),
        says="Largest weight: {top:2}, on {word}. Sum of the weights: {sum:2}.",
        compute=partial(_compute, words),
        data={"words": list(words)},
    )


def _compute(words: Sequence[str], values: Mapping[str, Value]) -> dict[str, Value]:
    scores = torch.tensor([[[values[f"score{i}"] for i in range(len(words))]]])  # (1, 1, S)
    valid = values["valid"]
    weights = softmax(scores / values["temperature"], torch.tensor([valid]))[0, 0]
    best = int(weights.argmax())
    found = {**values, "sum": weights.sum().item(), "top": weights[best].item()}
    found["word"] = words[best] if valid else "no word"
    for i, weight in enumerate(weights.tolist()):
        found |= {f"w{i}": weight, f"seen{i}": 1.0 if i < valid else 0.4}
    return found


def _draw(words: Sequence[str]) -> str:
    """A column for each word: its score around y = 100, the word, its weight up from y = 320."""
    width = 70 + 84 * len(words)
    columns = "".join(_column(i, word, 90 + 84 * i) for i, word in enumerate(words))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 335">'
        '<text class="start" x="0" y="104">score</text>'
        '<text class="start" x="0" y="320">weight</text>'
        f'<path class="axis" d="M50 100H{width - 10}M50 320H{width - 10}"/>{columns}</svg>'
    )


def _column(i: int, word: str, x: int) -> str:
    y = f"score{i}*-20+100"
    return (
        f'<g data-set-opacity="{{seen{i}}}">'
        f'<line class="plain pale bar" x1="{x}" x2="{x}" y1="100" data-set-y2="{{{y}}}"/>'
        f'<circle class="plain handle" cx="{x}" r="9" data-set-cy="{{{y}}}" data-drag-y="{y}"/>'
        f'<text x="{x + 30}" data-set-y="{{score{i}*-20+95}}" data-set-text="{{score{i}:1}}"/>'
        f'<text x="{x}" y="212">{escape(word)}</text>'
        f'<line class="weight bar" x1="{x}" x2="{x}" y1="320" data-set-y2="{{w{i}*-80+320}}"/>'
        f'<text x="{x}" data-set-y="{{w{i}*-80+314}}" data-set-text="{{w{i}:2}}"/></g>'
    )
