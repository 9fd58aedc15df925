"""Step through the output words: where does each decoder look, and where do the gold links go?"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from html import escape
from typing import Any

from d2l_lite.figures.figure import Control, Figure, Value
from d2l_lite.plot import check_weights

LONGEST = 20  # words of a sentence that still fit
ROW, TOP = 26, 30  # height of a word's row, and of what stands above the first one
THICK = ROW / 2  # of all lines together, whose weights share 1


def cross_attention(
    weights: Mapping[str, Any],
    source_words: Sequence[str],
    target_words: Sequence[str],
    gold: Iterable[tuple[int, int]] | None = None,
    word: int = 1,
) -> Figure:
    """A figure of where decoders look at each step while they write the same T words.

    Args:
        weights: name -> weights (T, S) of a decoder, such as `forced_weights(model, [pair])[0]`.
        source_words: S words; target_words: T words, both at most 20.
        gold: links (source position, target position), such as `Pair.alignment`.
        word: the output word that is shown at first, counted from 1.

    Raises:
        ValueError: no decoder, no words or too many, weights that are not (T, S) or not within 0
            and 1, a link or `word` beyond the words.
    """
    source, target = fitting(source_words, target_words, LONGEST)
    rows, columns = len(target), len(source)
    if not weights:
        raise ValueError("need the weights of at least one decoder")
    if not 1 <= word <= rows:
        raise ValueError(f"word must be from 1 to {rows}, not {word}")
    data: dict[str, Any] = {"source": source, "target": target}
    data["weights"] = {str(name): rounded(grid, rows, columns) for name, grid in weights.items()}
    data["gold"] = _links(gold or (), rows, columns)

    return Figure(
        name="cross_attention",
        alt="Source words at the left, output words at the right. From one output word lines go "
        "to the source words; the thicker the line, the larger the weight.",
        controls=_controls(list(data["weights"]), rows, word, gold is not None),
        svg=_draw(source, target),
        says="Writing “{word}”: most weight, {top:2}, on “{best}”."
        + (" Weight on the gold links: {mass:2}." if gold is not None else ""),
        compute=partial(_compute, data),
        data=data,
    )


def fitting(
    source_words: Sequence[str], target_words: Sequence[str], longest: int
) -> tuple[list[str], list[str]]:
    """The words of both sides as lists.

    Raises:
        ValueError: a side has no words, or more than `longest`, which do not fit a picture.
    """
    rows, columns = len(target_words), len(source_words)
    if not (1 <= columns <= longest and 1 <= rows <= longest):
        raise ValueError(f"need 1 to {longest} words: {columns} source and {rows} target words")
    return list(source_words), list(target_words)


def rounded(weights: Any, rows: int, columns: int) -> list[list[float]]:
    """Weights, a tensor or an array, as lists of numbers with three decimals.

    Raises:
        ValueError: the shape is not (rows, columns), or a weight is not within 0 and 1.
    """
    grid = check_weights(weights, rows, columns).astype(float).clip(0, 1)
    return [[round(weight, 3) for weight in row] for row in grid.tolist()]


def _links(gold: Iterable[tuple[int, int]], rows: int, columns: int) -> list[list[int]]:
    """For each target word the positions of its source words."""
    found: list[list[int]] = [[] for _ in range(rows)]
    for s, t in gold:
        if not (0 <= s < columns and 0 <= t < rows):
            raise ValueError(f"link {(s, t)} for {columns} source and {rows} target words")
        found[t].append(s)
    return found


def _controls(names: list[str], rows: int, word: int, gold: bool) -> tuple[Control, ...]:
    controls = [Control("step", "output word", word, 1, rows, 1)]
    if len(names) > 1:
        controls.append(Control("decoder", "decoder", names[0], options=tuple(names)))
    if gold:
        controls.append(Control("gold", "frame the gold links", True))
    return tuple(controls)


def _compute(data: Mapping[str, Any], values: Mapping[str, Value]) -> dict[str, Value]:
    step = values["step"] - 1
    row = data["weights"][values.get("decoder") or next(iter(data["weights"]))][step]
    links = data["gold"][step]
    found = {"step": step, "word": data["target"][step], "top": max(row)}
    found["best"] = data["source"][row.index(found["top"])]
    found["mass"] = sum(row[s] for s in links)
    for s, weight in enumerate(row):
        # Where the lines end they lie side by side, half a row together.
        found[f"end{s}"] = step + (sum(row[:s]) + weight / 2 - 0.5) / 2
        framed = bool(values.get("gold")) and s in links
        found |= {f"w{s}": weight, f"seen{s}": float(weight >= 0.005), f"frame{s}": float(framed)}
    for t in range(len(data["target"])):
        found[f"read{t}"] = 1.0 if t <= step else 0.65
    return found


def _draw(source: Sequence[str], target: Sequence[str]) -> str:
    """Source words and their weights at the left, lines in the middle, output at the right."""
    left, right = (9 * max(map(len, words)) + 16 for words in (source, target))
    width = max(400, left + 44 + 130 + right)
    height = TOP + ROW * max(len(source), len(target)) + 4
    middle = width - right + right / 2
    words = "".join(
        f'<text data-set-opacity="{{read{t}}}" x="{middle}" y="{TOP + ROW * t + 18}">'
        f"{escape(word)}</text>"
        for t, word in enumerate(target)
    )
    column = f'x="{width - right}" width="{right - 2}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
        f'<text x="{left / 2}" y="16">source</text><text x="{middle}" y="16">output</text>'
        + "".join(_source(s, word, left, width - right) for s, word in enumerate(source))
        + f'<g class="query"><rect class="wash" rx="5" {column} height="{ROW - 4}" '
        f'data-set-y="{{step*{ROW}+{TOP + 2}}}"/></g>{words}'
        f'<rect class="track" {column} y="{TOP}" height="{ROW * len(target)}" '
        f'data-drag-y="step*{ROW}+{TOP - ROW / 2}"/></svg>'
    )


def _source(s: int, word: str, left: int, right: int) -> str:
    """A source word, lit by its weight and framed by a gold link; its number and its line."""
    y, bend = TOP + ROW * s, (left + 44 + right) / 2
    box = f'x="1" y="{y + 2}" width="{left - 2}" height="{ROW - 4}" rx="5"'
    end = f"{{end{s}*{ROW}+{TOP + ROW / 2}}}"
    line = f"M{left + 44} {y + ROW / 2}C{bend} {y + ROW / 2} {bend} {end} {right - 4} {end}"
    return (
        f'<g class="weight"><rect class="cell" {box} data-set-opacity="{{w{s}*0.4}}"/>'
        f'<path class="link" data-set-d="{line}" data-set-stroke-width="{{w{s}*{THICK}}}"/></g>'
        f'<rect class="frame" {box} data-set-opacity="{{frame{s}}}"/>'
        f'<text x="{left / 2}" y="{y + 18}">{escape(word)}</text>'
        f'<text x="{left + 21}" y="{y + 18}" data-set-opacity="{{seen{s}}}" '
        f'data-set-text="{{w{s}:2}}"/>'
    )
