"""Drag a query about the plane: what four scoring functions make of it, and the missing tanh."""

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from d2l_lite.attention import (
    AdditiveAttention,
    Attention,
    BilinearAttention,
    DotAttention,
    ScaledDotAttention,
)
from d2l_lite.figures.figure import Control, Figure, Value

# Four weather stations, as in the chapter on queries, keys and values. A key is the direction of a
# station; its value is the wind there, towards the east and the north, in metres per second.
NAMES = ("north", "east", "south", "west")
KEYS = ((0.0, 1.0), (1.0, 0.0), (0.0, -1.0), (-1.0, 0.0))
VALUES = ((4.0, 0.0), (2.0, 4.0), (-2.0, 2.0), (0.0, -2.0))
FURTHEST = 3.0  # the largest coordinate of a query, and minus the smallest

FORMULAS = {
    "dot": "q · k",
    "scaled dot": "q · k / √2",
    "additive": "v · tanh(q + k)",
    "bilinear": "q · W k",
}
# Chosen to be easy: W turns a key to the left by a quarter, W_q and W_k leave all as it is.
PARAMETERS = {
    "W": ((0.0, -1.0), (1.0, 0.0)),
    "W_q": ((1.0, 0.0), (0.0, 1.0)),
    "W_k": ((1.0, 0.0), (0.0, 1.0)),
    "v": ((2.0, 1.0),),
}
# Where things stand: x and y of a query, and of a wind, in the two planes.
QX, QY = "qx*31+105", "qy*-31+121"
VX, VY = (23.25, 311.75), (-23.25, 144.25)
PANEL = 118  # the height of a scoring function's panel


class _NoTanh(AdditiveAttention):
    """Additive attention as the source text has it: the tanh is missing."""

    def score(self, query: Tensor, projected_key: Tensor) -> Tensor:
        features = self.W_q(query).unsqueeze(2) + projected_key.unsqueeze(1)  # (B, T, S, H)
        return self.v(features).squeeze(-1)  # (B, T, S)


def queries(
    query: Sequence[float] = (2.0, 1.0), functions: Sequence[str] = tuple(FORMULAS)
) -> Figure:
    """A figure of a query that moves among four keys, and of the context among their values.

    Each of the scoring functions shows its scores and weights. With several of them the reader
    chooses the one whose weights blend the values, at first the first. With the additive one among
    them the reader can take its tanh away.

    Args:
        query: where the query stands at first, two numbers within ±3.
        functions: some of "dot", "scaled dot", "additive" and "bilinear" (`d2l_lite.attention`).
            The parameters are W_q = W_k = I, v = (2, 1), and W turns a key by a quarter.

    Raises:
        ValueError: no query of two numbers within ±3, or functions that are none, unknown or twice.
    """
    if len(query) != 2 or max(map(abs, query)) > FURTHEST:
        raise ValueError(f"query must be two numbers within ±{FURTHEST:g}, not {tuple(query)}")
    unknown = [name for name in functions if name not in FORMULAS]
    if unknown or not functions or len(set(functions)) < len(functions):
        raise ValueError(f"functions must be some of {tuple(FORMULAS)}, not {functions!r}")
    limits = (-FURTHEST, FURTHEST, 0.1)
    controls = [
        Control("qx", "query, towards the east", float(query[0]), *limits, drags=True),
        Control("qy", "query, towards the north", float(query[1]), *limits, drags=True),
    ]
    if len(functions) > 1:
        controls.append(Control("function", "context by", functions[0], options=tuple(functions)))
    if "additive" in functions:
        controls.append(Control("tanh", "tanh in the additive score", True))
    weights = ", ".join(f"{name} {{b{i}:2}}" for i, name in enumerate(NAMES))
    return Figure(
        name="queries",
        alt="Two planes. On the left four keys and a query to be dragged; on the right four values "
        "and the context, joined by lines as thick as the weights. Below, scores and weights.",
        controls=tuple(controls),
        svg=_draw(functions),
        says=f"Weights by {{by}}: {weights}. Context: ({{cx:2}}, {{cy:2}}).",
        compute=partial(_compute, tuple(functions), _layers()),
        data={"keys": KEYS, "winds": VALUES, "functions": list(functions), **PARAMETERS},
    )


def _layers() -> dict[str, Attention]:
    """The book's layers with the parameters above."""
    with torch.random.fork_rng(devices=()):  # a figure must not change what is drawn after it
        layers = {
            "dot": DotAttention(),
            "scaled dot": ScaledDotAttention(),
            "bilinear": BilinearAttention(2, 2),
            "additive": AdditiveAttention(2, 2, 2),
            "additive without tanh": _NoTanh(2, 2, 2),
        }
    for layer in layers.values():
        for name, parameter in layer.named_parameters():
            parameter.data = torch.tensor(PARAMETERS[name.removesuffix(".weight")])
    return layers


@torch.no_grad()
def _compute(
    functions: Sequence[str], layers: Mapping[str, Attention], values: Mapping[str, Value]
) -> dict[str, Value]:
    query = torch.tensor([[[values["qx"], values["qy"]]]], dtype=torch.float32)  # (1, 1, 2)
    keys, winds = torch.tensor([KEYS]), torch.tensor([VALUES])  # (1, S, 2)
    bent = values.get("tanh", True)
    found = {"qx": values["qx"], "qy": values["qy"]}
    found["bend"] = FORMULAS["additive"] if bent else "v · (q + k)"
    for f, name in enumerate(functions):
        by = "additive without tanh" if name == "additive" and not bent else name
        scores = layers[by].score(query, layers[by].project_keys(keys))[0, 0]  # (S,)
        context, weights = layers[by](query, keys, winds)
        row = weights[0, 0].tolist()
        chosen = name == values.get("function", functions[0])
        found[f"chosen{f}"] = float(chosen)
        found |= {f"a{f}{i}": score for i, score in enumerate(scores.tolist())}
        found |= {f"b{f}{i}": weight for i, weight in enumerate(row)}
        if chosen:
            found |= {f"b{i}": weight for i, weight in enumerate(row)}
            found |= {"by": by, "cx": context[0, 0, 0].item(), "cy": context[0, 0, 1].item()}
    return found


def _draw(functions: Sequence[str]) -> str:
    """The planes side by side, and below them a panel a function, two in a row."""
    height = 256 + PANEL * ((len(functions) + 1) // 2)
    panels = "".join(
        _panel(f, name, 114 if len(functions) == 1 else 4 + 220 * (f % 2), 256 + PANEL * (f // 2))
        for f, name in enumerate(functions)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 440 {height}">'
        f"{_left()}{_right()}{panels}</svg>"
    )


def _plane(x: int, label: str, title: str, lines: str) -> str:
    """The frame of a plane around (x, 121), 186 wide, with its axes and grid."""
    return (
        f'<text x="{x}" y="16" data-set-text="{title}"/><text x="{x}" y="234">{label}</text>'
        f'<rect class="axis" fill="none" x="{x - 93}" y="28" width="186" height="186" rx="3"/>'
        f'<path stroke="currentColor" opacity="0.15" d="{lines}"/>'
    )


def _left() -> str:
    """Keys as arrows from the middle, and the query on its dashed line."""
    grid = "".join(f"M{x} 28V214M12 {x + 16}H198" for x in (43, 74, 105, 136, 167))
    arrow = '<path class="key" fill="currentColor" stroke="currentColor" stroke-width="2.5" '
    head = "M105 121V94M105 90L101 98H109Z"
    turns = "".join(
        f'{arrow}d="{head}" transform="rotate({90 * i} 105 121)"/>' for i in range(len(NAMES))
    )
    places = ((105, 84, ""), (141, 117, "start"), (105, 167, ""), (69, 117, "end"))
    names = "".join(
        f'<text class="{side}" x="{x}" y="{y}">{name}</text>'
        for name, (x, y, side) in zip(NAMES, places, strict=True)
    )
    return (
        _plane(105, "→ east, ↑ north", "keys, query ({qx:1}, {qy:1})", grid)
        + turns
        + names
        + '<line class="query" stroke="currentColor" stroke-width="2" stroke-dasharray="5 4" '
        f'x1="105" y1="121" data-set-x2="{{{QX}}}" data-set-y2="{{{QY}}}"/>'
        f'<circle class="query handle" r="9" data-set-cx="{{{QX}}}" data-set-cy="{{{QY}}}" '
        f'data-drag-x="{QX}" data-drag-y="{QY}"/>'
    )


def _right() -> str:
    """Values as squares, the region that they enclose, and the context as a diamond."""
    points = [(x * VX[0] + VX[1], y * VY[0] + VY[1]) for x, y in VALUES]
    cx, cy = (f"{{c{axis}*{by}+{to}}}" for axis, (by, to) in (("x", VX), ("y", VY)))
    hull = " ".join(f"{x},{y}" for x, y in points)
    places = ((0, 22, ""), (10, 4, "start"), (0, -11, ""), (11, 5, "start"))
    lines = squares = ""
    for i, ((x, y), (right, down, side)) in enumerate(zip(points, places, strict=True)):
        lines += (
            f'<line class="weight" stroke="currentColor" data-set-stroke-width="{{b{i}*8+0.5}}" '
            f'x1="{x}" y1="{y}" data-set-x2="{cx}" data-set-y2="{cy}"/>'
        )
        squares += (
            f'<path class="value" fill="currentColor" d="M{x - 5} {y - 5}h10v10h-10z"/>'
            f'<text class="{side}" x="{x + right}" y="{y + down}">{NAMES[i]}</text>'
        )
    grid = f"M{VX[1]} 28V214M242 {VY[1]}H428"
    return (
        _plane(335, "→ wind to the east, ↑ north", "values, context ({cx:2}, {cy:2})", grid)
        + f'<polygon fill="none" stroke="currentColor" opacity="0.5" stroke-dasharray="2 3" '
        f'points="{hull}"/>{lines}{squares}'
        '<path class="context" fill="currentColor" d="M0 -9L9 0L0 9L-9 0Z" '
        f'data-set-transform="translate({cx} {cy})"/>'
    )


def _panel(f: int, name: str, x: int, y: int) -> str:
    """Scores and weights by one function; a frame shows that its weights make the context."""
    formula = "{bend}" if name == "additive" else FORMULAS[name]
    rows = "".join(_row(f, i, x, y + 54 + 18 * i) for i in range(len(NAMES)))
    return (
        f'<rect class="context" fill="none" stroke="currentColor" stroke-width="1.5" rx="6" '
        f'x="{x}" y="{y}" width="212" height="{PANEL - 4}" data-set-opacity="{{chosen{f}}}"/>'
        f'<text class="start" x="{x + 8}" y="{y + 18}" data-set-text="{name}: {formula}"/>'
        f'<text class="end" x="{x + 86}" y="{y + 36}">score</text>'
        f'<text class="start" x="{x + 96}" y="{y + 36}">weight</text>{rows}'
    )


def _row(f: int, i: int, x: int, y: int) -> str:
    bar = x + 96
    return (
        f'<text class="start" x="{x + 8}" y="{y}">{NAMES[i]}</text>'
        f'<text class="end" x="{x + 86}" y="{y}" data-set-text="{{a{f}{i}:2}}"/>'
        f'<line class="weight" stroke="currentColor" stroke-width="12" x1="{bar}" y1="{y - 5}" '
        f'y2="{y - 5}" data-set-x2="{{b{f}{i}*74+{bar}}}"/>'
        f'<text class="start" y="{y}" data-set-x="{{b{f}{i}*74+{bar + 5}}}" '
        f'data-set-text="{{b{f}{i}:2}}"/>'
    )
