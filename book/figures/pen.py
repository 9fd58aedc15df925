"""The shapes that the book's drawings are made of: one shape for one kind of thing.

A word is a pill, a state a circle, a vector a square, a layer a rounded box, a sum or product a
small disc, a weight a cell or the width of a line; a dot is where a line branches. A colour says
which role a thing plays (`d2l_lite.plot.ROLES`), and so does the style of a line, for readers who
see colours differently or print in grey.

A drawing opened by itself is dark ink on a light card. In a page it has no card, and the page's
variables (`--ink`, `--role-query`, …) colour it. It uses no ids, so a page may hold several.
"""

import math
import re
from typing import NamedTuple
from xml.sax.saxutils import escape

from d2l_lite.plot import ROLES

WIDTH = 360  # units; a telephone shows about one pixel for each
LINES = {  # width and dashes
    "plain": "1.4",
    "query": "1.8;stroke-dasharray:6 4",
    "key": "1.8",
    "value": "2.6;stroke-linecap:round;stroke-dasharray:.1 5",
    "context": "2.8",
    "weight": "1.6",
}
LETTER = 14  # size of a word's letters
# *vector*, /scalar/, _{subscript}, [shape]
MARKUP = re.compile(r"\*([^*]+)\*|/([^/]+)/|_\{([^}]+)\}|\[([^]]+)\]")
KINDS = ("bold", "italic", "sub", "mono")


def styles() -> str:
    """The style sheet that every drawing brings along."""
    rules = [
        ".drawing .sheet{fill:var(--paper,#fdfcfa)}",
        ".drawing text{fill:var(--ink,#22292f);font:14px var(--sans,system-ui,sans-serif)}",
        ".drawing .note{fill:var(--quiet,#5a646c);font-size:13px}",
        ".drawing :is(.bold,.italic,.sub){font:17px KaTeX_Main,'Times New Roman',Times,serif}",
        ".drawing .bold{font-weight:700}",
        ".drawing .italic{font-style:italic}",
        ".drawing .sub{font-size:13px}",
        # KaTeX draws its prime large, to be raised and made small; here it stands as it is.
        ".drawing .prime{font-family:'Times New Roman',Times,serif}",
        ".drawing .mono{font:13px var(--mono,monospace)}",
        ".drawing path{fill:none}",
    ]
    for role, colour in ROLES.items():
        paint = f"var(--role-{role},{colour})"
        rules.append(f".drawing .{role}{{stroke:{paint};stroke-width:{LINES[role]}}}")
        rules.append(f".drawing .{role}.shape{{fill:{paint}}}")
        rules.append(f".drawing .{role}.head{{fill:{paint};stroke:none}}")
    return "\n".join(
        [
            *rules,
            ".drawing .shape{stroke-width:1.8;stroke-dasharray:none;fill-opacity:.1}",
            f".drawing .hint{{stroke:var(--role-plain,{ROLES['plain']});stroke-dasharray:3 4}}",
            f".drawing .hint.head{{fill:var(--role-plain,{ROLES['plain']});stroke:none}}",
            ".drawing .layer{fill:var(--panel,#f6f4ef);stroke-width:1.4}",
        ]
    )


class Node(NamedTuple):
    """A shape's centre and half its size; its sides are where arrows begin and end."""

    x: float
    y: float
    dx: float
    dy: float

    def at(self, right: float, down: float) -> tuple[float, float]:
        """A place on the shape: (0, -1) is the middle of its top, (1, 0) of its right side."""
        return self.x + right * self.dx, self.y + down * self.dy

    @property
    def top(self):
        return self.at(0, -1)

    @property
    def bottom(self):
        return self.at(0, 1)

    @property
    def left(self):
        return self.at(-1, 0)

    @property
    def right(self):
        return self.at(1, 0)


def place(*numbers: float) -> str:
    """Numbers as SVG wants them, with a decimal where there is one."""
    return " ".join(f"{number:.1f}".removesuffix(".0") for number in numbers)


def spans(markup: str) -> str:
    """Markup as tspans; what follows a subscript comes back up to the line."""
    parts, end, back = [], 0, ""
    for match in [*MARKUP.finditer(markup), None]:
        plain = markup[end : match.start() if match else None]
        if plain:
            parts.append(f"<tspan{back}>{escape(plain)}</tspan>")
            back = ""
        if match:
            kind = KINDS[match.lastindex - 1]
            move = back
            if kind == "sub":  # after another one it is down already
                move = "" if back else ' dy="4"'
            inner = escape(match[match.lastindex])
            if kind == "sub":
                inner = subscript(match[match.lastindex])
            parts.append(f'<tspan class="{kind}"{move}>{inner}</tspan>')
            back = ' dy="-4"' if kind == "sub" else ""
            end = match.end()
    return "".join(parts)


def subscript(text: str) -> str:
    """A subscript's letters in italics, its prime in a font where it is small."""
    styles = {True: '<tspan class="italic sub">{}</tspan>', False: "{}"}
    pieces = [styles[piece.isalpha()].format(escape(piece)) for piece in re.split("([a-z]+)", text)]
    return "".join(pieces).replace("′", '<tspan class="prime">′</tspan>')


class Drawing:
    """A drawing of the book, `WIDTH` units wide; x and y of a shape are its centre's.

    Args:
        title, words: what it shows, in a line and in full, for those who cannot see it.
    """

    def __init__(self, height: float, title: str, words: str):
        self.height, self.title, self.words = height, title, words
        self.parts: list[str] = []

    def svg(self) -> str:
        """The file's text."""
        size = f'width="{WIDTH}" height="{self.height}"'
        box = f'viewBox="0 0 {WIDTH} {self.height}" {size}'
        return "\n".join(
            [
                f'<svg class="drawing" xmlns="http://www.w3.org/2000/svg" {box} role="img">',
                f"<title>{escape(self.title)}</title>",
                f"<desc>{escape(self.words)}</desc>",
                f"<style>\n{styles()}\n</style>",
                f'<rect class="sheet" {size} rx="10"/>',
                *self.parts,
                "</svg>\n",
            ]
        )

    def text(self, x, y, markup, kind="", anchor="middle"):
        """A line of text, its middle at y; `kind` "note" is smaller and quieter."""
        name = f' class="{kind}"' if kind else ""
        start = f'<text{name} x="{place(x)}" y="{place(y + 5)}" text-anchor="{anchor}">'
        self.parts.append(f"{start}{spans(markup)}</text>")

    def note(self, x, y, markup, anchor="start"):
        """A remark beside a shape."""
        self.text(x, y, markup, "note", anchor)

    def box(self, x, y, dx, dy, corner, name) -> Node:
        """A rectangle of half the size (dx, dy)."""
        size = f'width="{place(2 * dx)}" height="{place(2 * dy)}" rx="{corner}"'
        corner_at = f'x="{place(x - dx)}" y="{place(y - dy)}"'
        self.parts.append(f'<rect class="{name}" {corner_at} {size}/>')
        return Node(x, y, dx, dy)

    def word(self, x, y, word, role) -> Node:
        """A word: a pill."""
        node = self.box(x, y, pill(word) / 2, LETTER, LETTER, f"shape {role}")
        self.text(x, y, word)
        return node

    def state(self, x, y, label, role, radius=18) -> Node:
        """A state of an LSTM: a circle."""
        centre = f'cx="{place(x)}" cy="{place(y)}"'
        self.parts.append(f'<circle class="shape {role}" {centre} r="{radius}"/>')
        self.text(x, y, label)
        return Node(x, y, radius, radius)

    def vector(self, x, y, label, role) -> Node:
        """A vector: a square."""
        node = self.box(x, y, 16, 16, 3, f"shape {role}")
        self.text(x, y, label)
        return node

    def layer(self, left, right, y, label, shape="") -> Node:
        """A layer or operation: a rounded box from left to right, a shape as its second line."""
        node = self.box(
            (left + right) / 2, y, (right - left) / 2, 24 if shape else 17, 8, "layer plain"
        )
        self.text(node.x, y - 9 if shape else y, label)
        if shape:
            self.text(node.x, y + 10, f"[{shape}]")
        return node

    def lines(self, left, right, y, *labels) -> Node:
        """A layer with a label of several lines."""
        node = self.box(
            (left + right) / 2, y, (right - left) / 2, 6 + 9 * len(labels), 8, "layer plain"
        )
        for i, label in enumerate(labels):
            self.text(node.x, y + 18 * i - 9 * (len(labels) - 1), label)
        return node

    def disc(self, x, y, sign) -> Node:
        """A sum or a product of what comes in."""
        node = self.box(x, y, 12, 12, 12, "layer plain")
        self.text(x, y, sign)
        return node

    def frame(self, left, right, top, bottom):
        """A dashed line around what belongs together."""
        size = f'width="{place(right - left)}" height="{place(bottom - top)}" rx="12"'
        corner = f'x="{place(left)}" y="{place(top)}"'
        self.parts.append(f'<rect class="hint" fill="none" {corner} {size}/>')

    def branch(self, starts, *points):
        """An arrow that takes along what passes at each of `starts`, all at one height."""
        for x, y in starts:
            self.parts.append(f'<circle class="plain head" cx="{place(x)}" cy="{place(y)}" r="3"/>')
        self.arrow(starts[0], *points)

    def cell(self, x, y, label, weight=0.0, dx=20, dy=15) -> Node:
        """A score, or a weight: the heavier, the bluer (at most so far that ink stays legible)."""
        size = f'x="{place(x - dx)}" y="{place(y - dy)}" width="{2 * dx}" height="{2 * dy}"'
        fill = f'style="fill-opacity:{0.5 * weight:.2f}"'
        self.parts.append(f'<rect class="shape weight" {size} {fill}/>')
        if label:
            self.text(x, y, label)
        return Node(x, y, dx, dy)

    def numbers(self, x, y, values, role) -> Node:
        """A vector number by number: a row of small squares that begins at x."""
        for i, value in enumerate(values):
            self.box(x + 26 * i + 13, y, 13, 13, 0, f"shape {role}")
            self.text(x + 26 * i + 13, y, f"{value}".replace("-", "−"))
        return Node(x + 13 * len(values), y, 13 * len(values), 13)

    def line(self, points, role="plain", width=None):
        """A line through points, round at its corners."""
        path = [f"M{place(*points[0])}"]
        for before, corner, after in zip(points, points[1:], points[2:], strict=False):
            start, end = towards(corner, before, 8), towards(corner, after, 8)
            path.append(f"L{place(*start)}Q{place(*corner, *end)}")
        path.append(f"L{place(*points[-1])}")
        style = f' style="stroke-width:{width:.1f}"' if width else ""
        self.parts.append(f'<path class="{role}" d="{"".join(path)}"{style}/>')

    def arrow(self, *points, role="plain"):
        """A line with a head at its end."""
        tip, base = points[-1], towards(points[-1], points[-2], 8)
        self.line([*points[:-1], base], role)
        x, y = (tip[1] - base[1]) / 2, (base[0] - tip[0]) / 2
        corners = (base[0] + x, base[1] + y), tip, (base[0] - x, base[1] - y)
        path = "L".join(place(*corner) for corner in corners)
        self.parts.append(f'<path class="{role} head" d="M{path}Z"/>')

    def link(self, start, end, weight=0.5):
        """A weight: a curve from above to below, the heavier the wider."""
        middle = (start[1] + end[1]) / 2
        path = f"M{place(*start)}C{place(start[0], middle, end[0], middle, *end)}"
        style = f'style="stroke-width:{0.8 + 5 * weight:.1f}"'
        self.parts.append(f'<path class="weight" d="{path}" {style}/>')


def pill(word: str) -> float:
    """How wide a word's pill is, about: in a wide font."""
    widths = (0.4 if c in "Iijlfrt.'!" else 0.85 if c in "mw" else 0.64 for c in word)
    return LETTER * max(2.2, 1 + sum(widths))


def towards(start, end, distance) -> tuple[float, float]:
    """The point `distance` away from `start` on the way to `end`."""
    share = distance / math.dist(start, end)
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])
