"""The drawings: as the script draws them, whole by themselves, legible, and inline in the pages."""

import re
import sys
import xml.etree.ElementTree as ElementTree
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import d2l_book
import pytest
import torch
from docutils import nodes
from docutils.utils import new_document
from hypothesis import given
from hypothesis import strategies as st

import d2l_lite as d2l
from d2l_lite.plot import ROLES

BOOK = Path(__file__).parents[1] / "book"
sys.path.insert(0, str(BOOK / "figures"))
draw, pen = import_module("draw"), import_module("pen")
DRAWINGS = draw.drawings()
PHONE = 340  # pixels that a drawing has on a telephone 390 pixels wide
each_drawing = pytest.mark.parametrize("path", DRAWINGS, ids=lambda path: path.stem)


@each_drawing
def test_the_file_is_what_the_script_draws(path):
    """If not: python book/figures/draw.py."""
    assert (BOOK / path).read_text(encoding="utf-8") == DRAWINGS[path]


def test_every_drawing_in_the_folder_comes_from_the_script():
    drawn = {BOOK / path for path in DRAWINGS}
    assert set((BOOK / "figures").glob("*.svg")) == drawn


@each_drawing
def test_a_drawing_is_whole_and_may_stand_beside_another(path):
    root = ElementTree.fromstring(DRAWINGS[path])
    words = {child.tag.split("}")[1]: child.text for child in root[:2]}
    assert len(words["title"]) > 10 and len(words["desc"]) > 60
    assert not [node for node in root.iter() if "id" in node.attrib]
    assert "http" not in DRAWINGS[path].replace("http://www.w3.org/2000/svg", "")


@each_drawing
def test_letters_are_legible_on_a_telephone(path):
    root = ElementTree.fromstring(DRAWINGS[path])
    width = float(root.attrib["width"])
    sizes = [float(size) for size in re.findall(r"font(?:-size)?:([\d.]+)px", DRAWINGS[path])]
    assert min(sizes) * PHONE / width >= 12


@each_drawing
def test_nothing_is_drawn_outside_the_sheet(path):
    root = ElementTree.fromstring(DRAWINGS[path])
    size = float(root.attrib["width"]), float(root.attrib["height"])
    for node in root:
        get = {name: float(node.get(name, 0)) for name in ("x", "y", "cx", "cy", "r", "width")}
        assert get["x"] >= 0 and get["x"] + get["width"] <= size[0]
        assert get["cx"] + get["r"] <= size[0] and get["y"] + get["cy"] + get["r"] <= size[1]


def test_the_scores_and_weights_in_the_dot_product_drawing_are_right():
    root = ElementTree.fromstring(DRAWINGS[Path("figures/dot_product_score.svg")])
    written = ["".join(node.itertext()) for node in root if node.tag.endswith("text")]
    numbers = [float(t.replace("−", "-")) for t in written if re.fullmatch(r"−?[\d.]+", t)]
    query, rows = torch.tensor(numbers[:4]), torch.tensor(numbers[4:]).view(3, 7)
    keys, dots, scores, weights = rows[:, :4], rows[:, 4], rows[:, 5], rows[:, 6]
    torch.testing.assert_close(dots, keys @ query)
    layer = d2l.ScaledDotAttention()
    torch.testing.assert_close(scores, layer.score(query.view(1, 1, 4), keys[None])[0, 0])
    _, right = layer(query.view(1, 1, 4), keys[None], keys[None])
    torch.testing.assert_close(weights, right[0, 0], atol=0.005, rtol=0)


def window_lines(drawing):
    """Where the lines of its convolution's windows begin and end: for each end the starts."""
    windows = {}
    for line in re.findall(r'd="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"', drawing):
        start, top, end, bottom = map(float, line)
        if top < bottom:
            windows.setdefault(end, set()).add(start)
    return {end: starts for end, starts in windows.items() if len(starts) > 1}


@pytest.mark.parametrize(("name", "causal"), [("conv_block", False), ("conv_decoder", True)])
def test_windows_of_three_words_and_the_decoders_end_at_their_own(name, causal):
    windows = window_lines(DRAWINGS[Path(f"figures/{name}.svg")])
    assert len(windows) == 3
    for end, starts in windows.items():
        assert len(starts) == 3 and sorted(starts)[2 if causal else 1] == end


def test_the_weights_of_a_head_add_up_in_each_row():
    drawing = DRAWINGS[Path("figures/transformer_block.svg")]
    shades = [float(shade) for shade in re.findall(r"fill-opacity:([\d.]+)\"", drawing)]
    sums = torch.tensor(shades).view(3, 3, 3).sum(dim=-1)  # a weight of 1 is half opaque
    torch.testing.assert_close(sums, torch.full((3, 3), 0.5), atol=0.016, rtol=0)


@given(st.lists(st.tuples(st.sampled_from("+*/_["), st.text("abc<&′1 ", min_size=1)), max_size=5))
def test_markup_keeps_every_letter_and_returns_to_the_line(parts):
    forms = {"+": "{}", "*": "*{}*", "/": "/{}/", "_": "_{{{}}}", "[": "[{}]"}
    markup = "".join(forms[kind].format(text) for kind, text in parts) + "."
    root = ElementTree.fromstring(f"<text>{pen.spans(markup)}</text>")
    assert "".join(root.itertext()) == "".join(text for _, text in parts) + "."
    assert sum(float(node.get("dy", 0)) for node in root) == 0


def test_an_arrow_ends_where_it_is_sent():
    drawing = pen.Drawing(100, "title", "words")
    drawing.arrow((10, 10), (10, 50), role="key")
    line, head = drawing.parts
    assert 'd="M10 10L10 42"' in line and "L10 50L" in head


def test_an_inlined_drawing_is_called_by_its_label_alone():
    page = d2l_book.inlined(pen.Drawing(9, "A", "B\nC").svg(), "x", 'a "word" & more')
    root = ElementTree.fromstring(page)
    assert root.get("aria-label") == 'a "word" & more' and root.get("data-drawing") == "x"
    assert root.get("role") == "img"
    assert not re.search("<title|<desc", page)


def inline(folder, uri, **attributes):
    """What InlineDrawings makes of a document with one image."""
    document = new_document("page")
    document.settings.env = SimpleNamespace(app=SimpleNamespace(srcdir=folder))
    document += nodes.image(uri=uri, **attributes)
    d2l_book.InlineDrawings(document).run()
    return document[0]


def test_only_the_books_own_drawings_are_inlined(tmp_path):
    path = tmp_path / "book" / "figures" / "a.svg"
    path.parent.mkdir(parents=True)
    path.write_text(pen.Drawing(9, "A", "B").svg())
    drawing = inline(tmp_path, "book/figures/a.svg", alt="A drawing")
    assert isinstance(drawing, nodes.raw) and 'aria-label="A drawing"' in drawing.astext()
    for other in ("book/a.svg", "book/figures/a.png", "https://example.org/book/figures/a.svg"):
        assert isinstance(inline(tmp_path, other, alt="A"), nodes.image)


def test_a_drawing_without_words_is_a_warning(tmp_path, monkeypatch):
    said = []
    logger = SimpleNamespace(warning=lambda message, *args, **_: said.append(message % args))
    monkeypatch.setattr(d2l_book.logging, "getLogger", lambda name: logger)
    (tmp_path / "book" / "figures").mkdir(parents=True)
    (tmp_path / "book" / "figures" / "a.svg").write_text("<svg/>")
    inline(tmp_path, "book/figures/a.svg")
    assert said == ["a.svg needs an alt text: say what the drawing shows"]


def palettes():
    """The variables of book.css: for a light page, a dark one, and paper."""
    css = (BOOK / "_static" / "book.css").read_text(encoding="utf-8")
    blocks = re.findall(r"\{([^{}]*--role-weight:[^{}]*)\}", css)
    return [dict(re.findall(r"--([\w-]+): (#[0-9a-f]+);", block)) for block in blocks]


def contrast(one, other):
    """The WCAG 2 contrast of two colours, 1 to 21."""

    def luminance(colour):
        digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), parts, strict=True))

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_by_a_known_case():
    assert contrast("#fff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#fff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("page", [0, 1, 2], ids=["light", "dark", "print"])
def test_lines_and_letters_stand_out_from_the_paper(page):
    colours = palettes()[page]
    for role in ROLES:
        assert contrast(colours[f"role-{role}"], colours["paper"]) >= 3, role
    for letters in ("ink", "quiet"):
        assert contrast(colours[letters], colours["paper"]) >= 4.5
    assert contrast(colours["ink"], colours["panel"]) >= 4.5


def test_a_colour_means_the_same_in_drawings_and_plots():
    light, *others = palettes()
    assert {role: light[f"role-{role}"] for role in ROLES} == ROLES
    assert len(others) == 2 and all({f"role-{role}" for role in ROLES} <= set(p) for p in others)
