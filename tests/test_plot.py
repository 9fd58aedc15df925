"""Heatmaps and curves: what is on the axes, and what is refused."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from torch.testing import assert_close

from d2l_lite import curves, heatmap, use_style
from d2l_lite.plot import ROLES

SOURCE, TARGET = ["i", "won", "!"], ["j'", "ai", "gagné", "!"]


def weights(rows=4, columns=3):
    """The same in every call."""
    return torch.rand(rows, columns, generator=torch.manual_seed(0)).softmax(-1)


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def grid(ax):
    """The colour map's numbers, as they are drawn."""
    mesh = ax.collections[0]
    return np.asarray(mesh.get_array()), mesh.get_clim()


def test_heatmap_has_source_words_across_and_target_words_down():
    given_weights = weights()
    ax = heatmap(given_weights, SOURCE, TARGET, title="a title")
    ax.figure.canvas.draw()
    assert isinstance(ax, plt.Axes)
    assert (labels(ax.xaxis), labels(ax.yaxis)) == (SOURCE, TARGET)
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("source", "target", "a title")
    drawn, limits = grid(ax)
    assert np.allclose(drawn.reshape(4, 3), given_weights)
    assert limits == (0, 1)
    top, bottom = (ax.transData.transform((0, y))[1] for y in (0.5, 3.5))
    assert top > bottom


@pytest.mark.parametrize("words", [SOURCE, ["a-long-word"] * 3])
def test_source_words_stand_on_top(words):
    ax = heatmap(weights(), words, TARGET)
    ax.figure.canvas.draw()
    upper_edge = ax.get_window_extent().y1
    assert all(label.get_window_extent().y0 > upper_edge - 1 for label in ax.get_xticklabels())
    assert ax.xaxis.get_label_position() == "top"


def test_numbers_are_written_into_small_grids_or_when_asked_for():
    small, large = ((weights(), SOURCE, TARGET), (weights(9, 5), list("abcde"), list("abcdefghi")))
    ax = heatmap(*small)
    assert [text.get_text() for text in ax.texts] == [f"{w:.2f}" for w in small[0].flatten()]
    assert len(heatmap(*large).texts) == 0
    assert len(heatmap(*large, numbers=True).texts) == 45
    assert len(heatmap(*small, numbers=False).texts) == 0


def test_heatmap_draws_where_it_is_told_to():
    figure, (left, right) = plt.subplots(1, 2)
    assert heatmap(weights(), SOURCE, TARGET, ax=right) is right
    assert right.figure is figure and not left.collections
    assert plt.get_fignums() == [figure.number]


@settings(max_examples=5)
@given(rows=st.integers(1, 5), columns=st.integers(1, 30))
def test_every_word_has_its_label(rows, columns):
    source, target = ([f"{side}{i}" for i in range(n)] for side, n in (("s", columns), ("t", rows)))
    ax = heatmap(weights(rows, columns), tuple(source), tuple(target))
    assert (labels(ax.xaxis), labels(ax.yaxis)) == (source, target)
    plt.close(ax.figure)


def test_a_dollar_sign_is_a_word_and_no_formula():
    ax = heatmap(weights(1, 2), ["$x$", "$"], ["$a_1$"])
    ax.figure.canvas.draw()
    assert [text.replace("\\", "") for text in labels(ax.xaxis)] == ["$x$", "$"]
    assert all("$x$" not in text for text in labels(ax.xaxis))


@pytest.mark.parametrize(
    "convert",
    [
        lambda w: w,
        lambda w: w.numpy(),
        lambda w: w.tolist(),
        lambda w: w.clone().requires_grad_(),
        lambda w: w.bfloat16(),
        lambda w: w.half(),
    ],
    ids="tensor array list grad bfloat16 float16".split(),
)
def test_weights_of_every_kind_are_drawn_and_left_alone(convert):
    given_weights, before = convert(weights()), convert(weights())
    drawn, _ = grid(heatmap(given_weights, SOURCE, TARGET))
    assert_close(given_weights, before, rtol=0, atol=0)
    assert np.allclose(drawn.ravel(), torch.as_tensor(before).detach().float().ravel())


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (torch.rand(3, 4), r"\(3, 4\) for 4 target and 3 source"),
        (torch.rand(1, 4, 3), r"\(1, 4, 3\)"),
        (torch.full((4, 3), torch.nan), "nan"),
        (torch.full((4, 3), 1.5), r"1\.5"),
        (torch.full((4, 3), -0.25), r"-0\.25"),
        (torch.full((4, 3), torch.inf), "inf"),
    ],
)
def test_weights_that_are_none_are_named_and_nothing_is_drawn(wrong, named):
    with pytest.raises(ValueError, match=named):
        heatmap(wrong, SOURCE, TARGET)
    assert not plt.get_fignums()


@pytest.mark.parametrize(("source", "target"), [([], TARGET), (SOURCE, []), ([], [])])
def test_no_words_make_no_heatmap(source, target):
    with pytest.raises(ValueError, match="at least one"):
        heatmap(torch.zeros(len(target), len(source)), source, target)


def test_curves_have_a_name_each_and_start_at_epoch_one():
    ax = curves({"training": [3.0, 2.0, 1.5], "validation": [3.1, 2.4]}, ylabel="nats")
    ax.figure.canvas.draw()
    lines = [(list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines]
    assert lines == [([1, 2, 3], [3.0, 2.0, 1.5]), ([1, 2], [3.1, 2.4])]
    assert [text.get_text() for text in ax.texts] == ["training", "validation"]
    assert [text.xy for text in ax.texts] == [(3, 1.5), (2, 2.4)]
    assert [text.get_color() for text in ax.texts] == [line.get_color() for line in ax.lines]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "nats")


def test_curves_over_a_given_x_on_given_axes():
    figure, ax = plt.subplots()
    values = np.array([1.0, 4.0])
    assert curves({"square": values}, x=np.array([10, 20]), xlabel="words", ax=ax) is ax
    assert list(ax.lines[0].get_xdata()) == [10, 20]
    assert ax.get_xlabel() == "words"
    assert values.tolist() == [1, 4] and plt.get_fignums() == [figure.number]


@pytest.mark.parametrize(
    ("series", "x", "named"),
    [
        ({}, None, "nothing to draw"),
        ({"loss": []}, None, "empty"),
        ({"loss": [1.0], "other": []}, None, "empty"),
        ({"loss": [1.0, 2.0]}, [1, 2, 3], "'loss' has 2 values for 3"),
    ],
)
def test_series_that_cannot_be_drawn_are_named(series, x, named):
    with pytest.raises(ValueError, match=named):
        curves(series, x=x)


def test_the_style_holds_for_what_comes_after_it():
    with mpl.rc_context():
        use_style()
        ax = curves({name: [1, 2] for name in "abc"})
        ax.figure.canvas.draw()
        assert [to_hex(line.get_color()) for line in ax.lines] == list(ROLES.values())[:3]
        assert not ax.spines["top"].get_visible()
        heatmap(weights(), SOURCE, TARGET).figure.canvas.draw()


def test_a_heatmap_prints_nothing(capsys):
    heatmap(np.eye(2), ["a", "b"], ["c", "d"])
    assert capsys.readouterr() == ("", "")
