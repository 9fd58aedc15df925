"""Stacked convolutions: which words reach an output, layer by layer, and in how many ways."""

from collections.abc import Mapping, Sequence
from functools import partial
from html import escape

import torch
import torch.nn.functional as F
from torch import Tensor

from d2l_lite.figures.figure import Control, Figure, Value

DEEPEST, WIDEST, LONGEST = 6, 7, 13  # layers, kernel size, words
ACROSS, DOWN, LEFT = 33, 36, 54  # from one position to the next, from a layer to the one below
PADDINGS = ("centred", "causal")


def receptive_field(
    words: Sequence[str] = tuple(
        "my neighbour 's black dog sleeps on the old sofa near us .".split()
    ),
    position: int = 7,
    layers: int = 3,
    kernel: int = 3,
    padding: str = "centred",
) -> Figure:
    """A figure of what an output of stacked convolutions depends on.

    Args:
        words: up to 13 words, which are read.
        position: of the output that is chosen at first, counted from 1.
        layers: 1 to 6 of them at first. kernel: 3, 5 or 7, how many words a layer's window holds.
        padding: "centred" as in an encoder, or "causal" as in a decoder.

    Raises:
        ValueError: a number outside its range, an even kernel, or a padding of another name.
    """
    _check(len(words), position, layers, kernel, padding)
    size = len(words)
    return Figure(
        name="receptive_field",
        alt="Rows of dots, a row for each layer above the words. The dots that the chosen output "
        "depends on are filled; they fan out from the output down to the words.",
        controls=(
            Control("position", "output at word", position, 1, size, 1),
            Control("layers", "layers", layers, 1, DEEPEST, 1),
            Control("kernel", "kernel size", kernel, 3, WIDEST, 2),
            Control("padding", "padding", padding, options=PADDINGS),
        ),
        svg=_draw(words),
        says="The output at “{word}” sees {seen:0} words, “{first}” to “{last}”. In a longer "
        "sentence it could see {layers:0} · ({kernel:0} - 1) + 1 = {room:0}.",
        compute=partial(_compute, words),
        data={"words": list(words), "deepest": DEEPEST},
    )


def _check(size: int, position: int, layers: int, kernel: int, padding: str) -> None:
    ranges = {
        "number of words": (size, range(1, LONGEST + 1)),
        "position": (position, range(1, size + 1)),
        "number of layers": (layers, range(1, DEEPEST + 1)),
        "kernel size": (kernel, range(3, WIDEST + 1, 2)),
        "padding": (padding, PADDINGS),
    }
    for name, (value, allowed) in ranges.items():
        if value not in allowed:
            raise ValueError(f"the {name} must be one of {', '.join(map(str, allowed))}: {value}")


def ways(size: int, position: int, layers: int, kernel: int, padding: str) -> list[Tensor]:
    """In how many ways each position of each layer reaches an output; the words come first.

    With kernels of ones an output is a sum over all ways, and a gradient counts them. Position 0
    is the first. Returns layers + 1 rows (size,); the last is 1 at `position` and 0 elsewhere.
    """
    before = kernel - 1 if padding == "causal" else kernel // 2
    rows = [torch.ones(1, 1, size, dtype=torch.float64, requires_grad=True)]  # (B, H, S)
    window = torch.ones(1, 1, kernel, dtype=torch.float64)
    for _ in range(layers):
        rows.append(F.conv1d(F.pad(rows[-1], (before, kernel - 1 - before)), window))
    return [row[0, 0] for row in torch.autograd.grad(rows[-1][0, 0, position], rows)]


def _compute(words: Sequence[str], values: Mapping[str, Value]) -> dict[str, Value]:
    layers, kernel, position = values["layers"], values["kernel"], values["position"]
    rows = ways(len(words), position - 1, layers, kernel, values["padding"])
    seen = rows[0].nonzero().flatten().tolist()
    found = {"word": words[position - 1], "first": words[seen[0]], "last": words[seen[-1]]}
    found |= {"position": position, "layers": layers, "kernel": kernel, "seen": len(seen)}
    found["room"] = layers * (kernel - 1) + 1
    for depth in range(DEEPEST + 1):
        row = rows[depth] if depth <= layers else torch.zeros(len(words))
        reached = row.nonzero().flatten().tolist() or [position - 1]
        found |= {f"low{depth}": reached[0], f"high{depth}": reached[-1]}
        found[f"there{depth}"] = float(depth <= layers)
        for s, count in enumerate(row.tolist()):
            found[f"lit{depth}_{s}"] = 0.3 + 0.7 * count / row.max().item() if count else 0.0
    for s, count in enumerate(int(count) for count in rows[0]):
        # Of thousands there is no room for all digits.
        found[f"ways{s}"] = f"{count // 1000}k" if count >= 1000 else str(count or "")
        found[f"ink{s}"] = 1.0 if count else 0.65
    return found


def _draw(words: Sequence[str]) -> str:
    """The words at the bottom, and above them a row of dots for each layer."""
    width, bottom = LEFT + ACROSS * len(words) + 8, _height(0)
    x, y = f"position*{ACROSS}+{_middle(-1)}", f"layers*-{DOWN}+{bottom}"
    moves = f'data-drag-x="{x}" data-drag-y="{y}"'
    fans = "".join(_fan(depth) for depth in range(1, DEEPEST + 1))
    rows = "".join(_row(depth, len(words)) for depth in range(DEEPEST + 1))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom + 80}">'
        f"{fans}{rows}"
        f'<rect class="track" x="{LEFT}" width="{ACROSS * len(words)}" '
        f'height="{bottom - DOWN // 2}" {moves}/>'
        f'<text class="start" x="0" y="{bottom + 72}">ways</text>'
        f"{''.join(_word(s, word) for s, word in enumerate(words))}"
        f'<circle class="key handle" r="11" data-set-cx="{{{x}}}" data-set-cy="{{{y}}}" '
        f"{moves}/></svg>"
    )


def _middle(s: int) -> int:
    return LEFT + ACROSS * s + ACROSS // 2


def _height(depth: int) -> int:
    return 18 + DOWN * (DEEPEST - depth)


def _fan(depth: int) -> str:
    """From what is reached in one layer down to what is reached in the next."""
    x = f"*{ACROSS}+{_middle(0)}"
    above, below = _height(depth), _height(depth - 1)
    corners = (
        f"{{low{depth}{x}}},{above} {{high{depth}{x}}},{above} "
        f"{{high{depth - 1}{x}}},{below} {{low{depth - 1}{x}}},{below}"
    )
    return (
        f'<g class="key" data-set-opacity="{{there{depth}*0.2}}">'
        f'<polygon class="cell" data-set-points="{corners}"/></g>'
    )


def _row(depth: int, size: int) -> str:
    y, name = _height(depth), f"layer {depth}" if depth else "words"
    dots = "".join(
        f'<circle class="axis" fill="none" r="6" cx="{_middle(s)}" cy="{y}"/>'
        f'<circle class="key cell" r="7" cx="{_middle(s)}" cy="{y}" '
        f'data-set-opacity="{{lit{depth}_{s}}}"/>'
        for s in range(size)
    )
    return (
        f'<text class="start" x="0" y="{y + 4}" data-set-opacity="{{there{depth}*0.35+0.65}}">'
        f'{name}</text><g data-set-opacity="{{there{depth}*0.7+0.3}}">{dots}</g>'
    )


def _word(s: int, word: str) -> str:
    """A word, every other one a line lower, and in how many ways it reaches the output."""
    x, y = _middle(s), _height(0)
    return (
        f'<g data-set-opacity="{{ink{s}}}"><text x="{x}" y="{y + (24 if s % 2 else 40)}">'
        f'{escape(word)}</text><text x="{x}" y="{y + 72}" data-set-text="{{ways{s}}}"/></g>'
    )
