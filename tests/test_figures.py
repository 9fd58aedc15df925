"""The interactive figures: blanks, widgets, bad input, and JavaScript beside torch."""

import random
import re
from xml.etree import ElementTree

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from node import run_node

from d2l_lite import figures
from d2l_lite.figures.figure import Control, Figure, asset, fill

FIGURES = {"masked_softmax": figures.masked_softmax}
each = pytest.mark.parametrize("name", FIGURES)
SIZED = Control("size", "size", 2, 0, 5, 1)


def tiny(**changed):
    """A figure with one blank of each kind."""
    given = {
        "name": "masked_softmax",
        "alt": "A line.",
        "controls": (
            SIZED,
            Control("on", "on", True),
            Control("of", "of", "a", options=("a", "b")),
        ),
        "svg": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">'
        '<rect data-set-y="{size*-2+10}"/><text data-set-text="{size:1} {of}"/></svg>',
        "says": "{size:0} of {of}",
        "compute": dict,
    }
    return Figure(**given | changed)


def random_values(figure, draw):
    """Values that the controls can have."""
    values = {}
    for control in figure.controls:
        if control.options:
            values[control.name] = draw.choice(control.options)
        elif isinstance(control.value, bool):
            values[control.name] = draw.random() < 0.5
        else:
            steps = round((control.high - control.low) / control.step)
            values[control.name] = control.low + draw.randint(0, steps) * control.step
    return values


def test_blanks_are_filled_by_hand():
    """With size 2: y = 2 · (-2) + 10 = 6."""
    root = ElementTree.fromstring(tiny().picture())
    rect, text = root
    assert (rect.get("y"), text.text) == ("6.00", "2.0 a")
    assert tiny().sentence(size=3, of="b") == "3 of b"
    assert fill("{x} and {x:0}", {"x": 0.126}) == "0.13 and 0"


@given(st.floats(-1e3, 1e3), st.integers(-99, 99), st.integers(-99, 99))
def test_a_blank_is_a_straight_line(x, factor, shift):
    filled = float(fill(f"{{x*{factor}+{shift}:9}}", {"x": x}))
    assert filled == pytest.approx(factor * x + shift, abs=1e-6)


@each
def test_the_picture_is_whole_and_has_no_blank_left(name):
    figure = FIGURES[name]()
    root = ElementTree.fromstring(figure.picture())
    for element in root.iter():
        drawn = {k: v for k, v in element.attrib.items() if not k.startswith("data-")}
        assert "{" not in "".join([*drawn.values(), element.text or ""])
    assert "{" not in figure.sentence()


@each
def test_javascript_computes_what_torch_does(name):
    """Every number and word, for forty random settings of the controls."""
    figure, draw = FIGURES[name](), random.Random(0)
    settings = [figure.values(), *(random_values(figure, draw) for _ in range(40))]
    body = (
        f"(input) => {{ const compute = {asset(name + '.js')};\n"
        "return input.settings.map((values) => compute(values, input.data)); }"
    )
    found = run_node(body, {"settings": settings, "data": figure.data})
    for values, page in zip(settings, found, strict=True):
        torch_says = figure.compute(values)
        assert page.keys() == torch_says.keys()
        for key, value in torch_says.items():
            wanted = value if isinstance(value, str) else pytest.approx(value, abs=1e-5)
            assert page[key] == wanted, (key, values)


@each
def test_a_page_asks_for_nothing_and_two_copies_share_nothing(name):
    html = FIGURES[name]().html()
    assert not re.search(
        r"""\b(?:src|href)=|url\(|@import|https?://(?!www\.w3\.org/2000/svg)""", html
    )
    assert not re.search(r"\sid=", html)


def test_markup_in_words_is_text():
    html = figures.masked_softmax((1.0, 0.0), ("<b>", "</script>"), 2).html()
    assert "<b>" not in html and html.count("</script>") == 1 and "&lt;b&gt;" in html


@each
def test_the_widget_computes_anew(name):
    figure = FIGURES[name]()
    box = figure.widget()
    picture, *controls, says = box.children
    before = picture.value, says.value
    slider = controls[0]
    slider.value = slider.min if slider.value != slider.min else slider.max
    assert (picture.value, says.value) != before
    assert figure.picture(**{figure.controls[0].name: slider.value}) in picture.value


def test_a_notebook_gets_a_widget_a_page_and_a_picture():
    bundle = figures.masked_softmax()._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "text/html", "image/svg+xml"} <= set(bundle)
    assert "Largest weight" in bundle["text/plain"]


def test_the_masked_softmax_by_hand():
    """Scores ln 3 and 0: weights 3/4 and 1/4; with one word hidden 1 and 0; with both 0 and 0."""
    figure = figures.masked_softmax((torch.tensor(3.0).log().item(), 0.0), ("a", "b"), 2)
    for valid, weights in ((2, (0.75, 0.25)), (1, (1.0, 0.0)), (0, (0.0, 0.0))):
        found = figure.compute(figure.values(valid=valid))
        assert (found["w0"], found["w1"]) == pytest.approx(weights)


def test_bad_input_is_told():
    with pytest.raises(KeyError, match="no control 'sise'; it has size, on, of"):
        tiny().values(sise=3)
    with pytest.raises(ValueError, match="2 for 3"):
        figures.masked_softmax((1.0, 2.0), ("a", "b", "c"), 1)
    with pytest.raises(ValueError, match="within ±4, not -9"):
        figures.masked_softmax((1.0, -9.0), ("a", "b"), 1)
    with pytest.raises(ValueError, match="valid must be within 0 and 2, not 3"):
        figures.masked_softmax((1.0, 2.0), ("a", "b"), 3)
