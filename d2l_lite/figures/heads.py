"""All heads of an attention at once: choose a head and a word, and see where it looks."""

from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from typing import Any

from d2l_lite.figures.cross_attention import fitting, rounded
from d2l_lite.figures.figure import Control, Figure, Value

LONGEST, BLOCKS, HEADS = 12, 4, 8  # what a picture has room for
TOP, ROW = 84, 30  # of the large grid: where its first row is, and how high its rows are
SMALL, APART, FIRST = 46, 66, 22  # a small grid, from one to the next, and the first one's top


def heads(
    weights: Any,
    source_words: Sequence[str],
    target_words: Sequence[str],
    blocks: int = 1,
    word: int = 1,
) -> Figure:
    """A figure of the weights of all heads; one is large, and in it one word is chosen.

    Args:
        weights: (blocks · N, T, S), one block's heads after another's, such as
            `forced_weights(model, [pair], every=True)[0]`.
        source_words: S words that are looked at. target_words: T words that look; at most 12 each.
        blocks: 1 to 4 blocks, of up to 8 heads each.
        word: the target word that is chosen at first, counted from 1.

    Raises:
        ValueError: too many heads, blocks or words, blocks that do not share the heads evenly,
            weights of another shape or not within 0 and 1, or `word` beyond the words.
    """
    source, target = fitting(source_words, target_words, LONGEST)
    rows, columns = len(target), len(source)
    each = _check(len(weights), blocks, rows, word)
    grids = [rounded(grid, rows, columns) for grid in weights]
    data = {"source": source, "target": target, "heads": each, "weights": grids}
    ranges = {"block": (1, blocks), "head": (1, each), "word": (word, rows)}
    if blocks == 1:
        del ranges["block"]
    return Figure(
        name="heads",
        alt="A large grid of weights, source words across and target words down, with one row "
        "framed. Beside it small grids of all heads, one of them framed.",
        controls=tuple(Control(name, name, at, 1, n, 1) for name, (at, n) in ranges.items()),
        svg=_draw(data),
        says="Head {name}, at “{asks}”: most weight, {top:2}, on “{best}”.",
        compute=partial(_compute, data),
        data=data,
    )


def _check(size: int, blocks: int, rows: int, word: int) -> int:
    """The number of heads in each block."""
    if not 1 <= word <= rows:
        raise ValueError(f"word must be from 1 to {rows}, not {word}")
    if not 1 <= blocks <= BLOCKS or size % blocks:
        raise ValueError(f"{size} heads cannot be shared among {blocks} blocks")
    if not 1 <= size // blocks <= HEADS:
        raise ValueError(f"need 1 to {HEADS} heads a block, not {size // blocks}")
    return size // blocks


def _compute(data: Mapping[str, Any], values: Mapping[str, Value]) -> dict[str, Value]:
    block, head, word = values.get("block", 1), values["head"], values["word"]
    grid = data["weights"][(block - 1) * data["heads"] + head - 1]  # (T, S)
    row = grid[word - 1]
    found = {"block": block, "head": head, "word": word, "name": f"{block}.{head}"}
    found |= {"asks": data["target"][word - 1], "top": max(row)}
    found["best"] = data["source"][row.index(found["top"])]
    for s, weight in enumerate(row):
        found |= {f"row{s}": weight, f"ink{s}": 0.65 + 0.35 * weight}
        found[f"told{s}"] = float(weight >= 0.01)
    for t, weights in enumerate(grid):
        found |= {f"w{t}_{s}": weight for s, weight in enumerate(weights)}
    return found


def _draw(data: Mapping[str, Any]) -> str:
    """The large grid at the left; at the right small ones, a column of them for each block."""
    left = 8 * max(map(len, data["target"])) + 14
    blocks = len(data["weights"]) // data["heads"]
    cell = min(36, (450 - left - APART * blocks) / len(data["source"]))
    right = left + cell * len(data["source"]) + 26
    width = right + APART * blocks - 4
    height = max(TOP + ROW * len(data["target"]) + 38, FIRST + APART * data["heads"])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}">'
        f"{_large(data, left, cell)}{_small_ones(data, right, blocks)}</svg>"
    )


def _large(data: Mapping[str, Any], left: float, cell: float) -> str:
    """The grid of the head that is chosen, and below it the weights of the word that is chosen."""
    parts, rows = [], len(data["target"])
    turn = 0 if cell > 30 else -60  # the numbers, to fit below their cells
    for s, word in enumerate(data["source"]):
        x = left + cell * (s + 0.5)
        parts += [
            f'<text class="start" transform="translate({x + 4:g} {TOP - 8}) rotate(-60)" '
            f'data-set-opacity="{{ink{s}}}">{escape(word)}</text>',
            f'<text transform="translate({x:g} {TOP + ROW * rows + 20}) rotate({turn})" '
            f'data-set-opacity="{{told{s}}}" data-set-text="{{row{s}:2}}"/>',
        ]
        parts += [
            f'<rect x="{x - cell / 2:g}" y="{TOP + ROW * t}" width="{cell:g}" height="{ROW}" '
            f'class="weight cell" data-set-opacity="{{w{t}_{s}}}"/>'
            for t in range(rows)
        ]
    parts += [
        f'<text class="end" x="{left - 8}" y="{TOP + ROW * t + 18}">{escape(word)}</text>'
        for t, word in enumerate(data["target"])
    ]
    size = f'x="2" width="{left + cell * len(data["source"]) - 2:g}"'
    return (
        f"{''.join(parts)}"
        f'<rect class="axis" fill="none" x="{left}" y="{TOP}" height="{ROW * rows}" '
        f'width="{cell * len(data["source"]):g}"/>'
        f'<g class="query"><rect class="frame" {size} height="{ROW}" rx="3" '
        f'data-set-y="{{word*{ROW}+{TOP - ROW}}}"/></g>'
        f'<rect class="track" {size} y="{TOP}" height="{ROW * rows}" '
        f'data-drag-y="word*{ROW}+{TOP - ROW / 2}"/>'
    )


def _small_ones(data: Mapping[str, Any], right: float, blocks: int) -> str:
    """The grids of all heads, with their names; the one that is chosen is framed."""
    each, first = data["heads"], f"{right + SMALL / 2 - APART:g}"
    places = [
        (right + APART * (a // each), FIRST + APART * (a % each)) for a in range(blocks * each)
    ]
    grids = "".join(
        f'<text x="{x + SMALL / 2:g}" y="{y - 5}">{a // each + 1}.{a % each + 1}</text>'
        f"{_small(data['weights'][a], x, y)}"
        for a, (x, y) in enumerate(places)
    )
    across = f'data-drag-x="block*{APART}+{first}" ' if blocks > 1 else ""
    down = f'data-drag-y="head*{APART}+{FIRST - APART + SMALL / 2}"'
    return (
        f'{grids}<g class="query"><rect class="frame" width="{SMALL + 6}" height="{SMALL + 6}" '
        f'rx="3" data-set-x="{{block*{APART}+{right - APART - 3:g}}}" '
        f'data-set-y="{{head*{APART}+{FIRST - APART - 3}}}"/></g>'
        f'<rect class="track" x="{right:g}" y="{FIRST}" width="{APART * blocks - 4}" '
        f'height="{APART * each - 4}" {across}{down}/>'
    )


def _small(grid: Sequence[Sequence[float]], x: float, y: float) -> str:
    """One head, each cell in one of ten shades; a bar beside it marks the row that is chosen."""
    high, wide = SMALL / len(grid), SMALL / len(grid[0])
    shades: dict[int, str] = {}
    for t, row in enumerate(grid):
        for s, weight in enumerate(row):
            shade = round(10 * weight)
            shades[shade] = shades.get(shade, "") + f"M{s} {t}h1v1h-1z"
    cells = "".join(
        f'<path opacity="{shade / 10}" d="{d}"/>' for shade, d in shades.items() if shade
    )
    return (
        f'<g transform="translate({x:g} {y:g})"><g class="weight cell" '
        f'transform="scale({wide:.3f} {high:.3f})">{cells}</g>'
        f'<rect class="axis" fill="none" width="{SMALL}" height="{SMALL}"/>'
        f'<rect class="query cell" x="-5" width="4" height="{high:.2f}" '
        f'data-set-y="{{word*{high:.3f}+{-high:.3f}}}"/></g>'
    )
