"""Heatmaps of attention weights and curves of training runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.rcsetup import cycler
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

INK = "#334155"  # words and axes
# What a colour means, in every figure, heatmap and drawing of the book.
ROLES = {
    "weight": "#2563eb",  # scores and weights; a model that attends
    "query": "#d97706",  # the decoder's side
    "key": "#0f766e",  # the encoder's side
    "context": "#be185d",  # what attention gives back; a model with a fixed context
    "value": "#6d28d9",
    "plain": "#64748b",  # all else
}
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))  # beside the colours
HEAT = "Blues"  # from 0, white, to 1, dark


def use_style() -> None:
    """Set the look of the book's figures, for this session of Python."""
    sns.set_theme(
        style="white",
        rc={
            "figure.figsize": (6, 3.6),
            "figure.dpi": 110,
            "savefig.facecolor": "white",
            "svg.fonttype": "none",
            "font.family": "sans-serif",
            "font.size": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "axes.titlecolor": INK,
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "axes.prop_cycle": cycler(color=list(ROLES.values())),
            "figure.constrained_layout.use": True,
        },
    )


def heatmap(
    weights: ArrayLike | Tensor,
    source_words: Sequence[str],
    target_words: Sequence[str],
    ax: Axes | None = None,
    title: str | None = None,
    numbers: bool | None = None,
) -> Axes:
    """Attention weights as a grid: source words across, target words down, one 0-to-1 scale.

    Args:
        weights: (T, S), a tensor or an array, between 0 and 1.
        numbers: write the weights into the cells; by default where there are at most 40 cells.

    Raises:
        ValueError: no words, the shape is not (target words, source words), or a weight is NaN or
            lies outside 0 to 1.
    """
    weights = check_weights(weights, len(target_words), len(source_words))
    ax = _axes_for(*weights.shape) if ax is None else ax
    sns.heatmap(
        weights,
        ax=ax,
        vmin=0,
        vmax=1,
        cmap=HEAT,
        linewidths=0.6,
        linecolor="white",
        annot=weights.size <= 40 if numbers is None else numbers,
        fmt=".2f",
        annot_kws={"size": 8},
        xticklabels=True,
        yticklabels=True,
        cbar_kws={"label": "weight"},
    )
    ax.set(xlabel="source", ylabel="target", title=title or "")
    _write_words(ax, source_words, target_words)
    return ax


def _write_words(ax: Axes, source_words: Sequence[str], target_words: Sequence[str]) -> None:
    """Source words above the grid, slanted where they are long, target words at its left."""
    # A dollar sign is a word here, not the start of a formula.
    ax.set_xticklabels([word.replace("$", r"\$") for word in source_words])
    ax.set_yticklabels([word.replace("$", r"\$") for word in target_words], rotation=0)
    ax.xaxis.set_label_position("top")
    ax.tick_params(left=False, bottom=False, labelbottom=False, labeltop=True)
    if max(map(len, source_words)) > 3:
        plt.setp(ax.get_xticklabels(), rotation=45, ha="left", rotation_mode="anchor")


def _axes_for(rows: int, columns: int) -> Axes:
    """Axes on a figure of their own, of a size that suits a grid of rows and columns."""
    return plt.subplots(figsize=(max(1.8 + 0.52 * columns, 3.2), max(1.2 + 0.34 * rows, 1.9)))[1]


def check_weights(weights: ArrayLike | Tensor, rows: int, columns: int) -> NDArray[Any]:
    """`weights` as an array, known to be (rows, columns) numbers between 0 and 1.

    Raises:
        ValueError: no rows or columns, another shape, or a weight that is not within 0 and 1.
    """
    if not (rows and columns):
        raise ValueError("a heatmap needs at least one source word and one target word")
    if isinstance(weights, Tensor):
        weights = weights.detach().cpu().float()
    weights = np.asarray(weights)
    if weights.shape != (rows, columns):
        raise ValueError(
            f"weights of shape {weights.shape} for {rows} target and {columns} source words"
        )
    outside = weights[~((weights >= -1e-5) & (weights <= 1 + 1e-5))]
    if outside.size:
        raise ValueError(f"a weight must lie between 0 and 1; found {outside[0]}")
    return weights


def curves(
    series: Mapping[str, Sequence[float]],
    xlabel: str = "epoch",
    ylabel: str = "loss per word",
    x: Sequence[float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Lines over the same x axis, each with its name at its end and a style of its own.

    Args:
        series: name -> values.
        x: where the values stand; 1, 2, … by default.
        ax: where to draw, with the colours and line styles set there.

    Raises:
        ValueError: no series, or one whose length differs from that of `x`.
    """
    if not series or not all(map(len, series.values())):
        raise ValueError("nothing to draw: a series is empty, or there is none")
    if ax is None:
        ax = plt.subplots()[1]
        ax.set_prop_cycle(color=list(ROLES.values()), linestyle=LINES)
    lines: list[Line2D] = []
    for name, values in series.items():
        places = range(1, len(values) + 1) if x is None else x
        if len(places) != len(values):
            raise ValueError(f"{name!r} has {len(values)} values for {len(places)} places on x")
        lines += ax.plot(places, values, marker="o", markersize=3, label=name)
    _label_ends(ax, lines)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if x is None:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return ax


def _label_ends(ax: Axes, lines: list[Line2D]) -> None:
    """Write each line's name behind its last point; names that would touch are moved apart."""
    low, high = ax.dataLim.intervaly
    points = 200 / ((high - low) or 1)  # about so many points of height has one unit of y
    free = -np.inf
    ends = {line: np.asarray(line.get_xydata())[-1] for line in lines}
    for line, (x, y) in sorted(ends.items(), key=lambda item: item[1][1]):
        shift = max(0.0, free - y * points)
        free = y * points + shift + 11
        place: dict[str, Any] = {
            "xytext": (6, shift),
            "textcoords": "offset points",
            "va": "center",
        }
        ax.annotate(str(line.get_label()), (x, y), color=line.get_color(), **place)
