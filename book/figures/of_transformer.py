"""The drawings of the Transformer: encoder and decoder, and a block."""

from itertools import pairwise

from parts import (
    READ,
    SOURCE,
    carry,
    descend,
    descend_into,
    indexed,
    remark,
    row,
    softmax,
    spread,
    write,
)
from pen import Drawing

PARTS = (("query", "*q*"), ("key", "*k*"), ("value", "*v*"))
# Scores chosen for the drawing: three heads that look for different words, a row for each query.
HEADS = (
    ((3, 0, 0), (0, 3, 0), (0, 0, 3)),
    ((0, 1, 0), (2, 0, 0), (0, 3, 0)),
    ((1, 1, 1), (0, 0, 2), (0, 0, 2)),
)


def transformer():
    d = Drawing(
        682,
        "The Transformer, encoder and decoder",
        "Left the encoder: source words, embedding (B, S, D), positions added; L blocks of "
        "self-attention, whose queries, keys and values all come from the source, and a "
        "feed-forward part; a layer norm. Right the decoder: target words, embedding (B, T, D), "
        "positions added; L blocks of masked self-attention, then cross-attention, whose query "
        "comes from the decoder and whose keys and values come from the encoder, then a "
        "feed-forward part; a layer norm, the output layer (B, T, V), the next words.",
    )
    d.note(75, 16, "encoder", "middle")
    d.note(282, 16, "decoder", "middle")
    reading = positioned(d, 14, 136, SOURCE, "(B, S, D)", 142)
    writing = positioned(d, 216, 348, READ, "(B, T, D)", 212)
    d.note(177, 164, "positions", "middle")
    for x, bottom in ((75, 363), (282, 498)):
        d.frame(x - 70, x + 70, 192, bottom)
        d.note(x - 61, bottom - 16, "/L/ blocks")
    norm = encoder_blocks(d, reading)
    decoder_blocks(d, writing, norm)
    return d


def positioned(d, left, right, words, shape, positions):
    """Words, their vectors, and their positions, which come from between the two stacks."""
    spread(d, words, left - 6, right + 6, 46, "key" if words == SOURCE else "query")
    embedding = d.layer(left, right, 106, "embedding", shape)
    d.arrow((embedding.x, 60), embedding.top)
    total = d.disc(embedding.x, 164, "+")
    d.arrow(embedding.bottom, total.top)
    d.arrow((positions, 164), total.right if positions < 177 else total.left)
    return total


def read_itself(d, total, left, right, y, *labels):
    """Self-attention: the same vectors are queries, keys and values."""
    attention = d.lines(left, right, y, *labels)
    top, x = attention.top[1], total.x
    d.line([total.bottom, (x, top - 30)])
    for shift, (role, letter) in zip((-36, 0, 36), PARTS, strict=True):
        start = [(x, top - 30), (x + shift, top - 30)] if shift else [(x, top - 30)]
        d.arrow(*start, (x + shift, top), role=role)
        d.text(x + shift + 12, top - 13, letter)
    return attention


def encoder_blocks(d, total):
    """The blocks of the encoder, and the norm that follows them."""
    attention = read_itself(d, total, 14, 136, 256, "self-attention", "[(B, N, S, S)]")
    forward = d.layer(14, 136, 313, "feed-forward")
    norm = d.layer(14, 136, 388, "layer norm")
    for above, below in ((attention, forward), (forward, norm)):
        d.arrow(above.bottom, below.top)
    return norm


def decoder_blocks(d, total, norm):
    """The blocks of the decoder, which read the encoder's norm, and what follows them."""
    itself = read_itself(d, total, 216, 348, 265, "masked", "self-attention", "[(B, N, T, T)]")
    cross = d.lines(216, 348, 388, "cross-attention", "[(B, N, T, S)]")
    d.arrow(itself.bottom, cross.top, role="query")
    d.note(cross.x + 10, 331, "query")
    for y, role, name, side in ((379, "key", "keys", -14), (397, "value", "values", 14)):
        d.arrow((norm.right[0], y), (cross.left[0], y), role=role)
        d.note(178, y + side, name, "middle")
    forward = d.layer(216, 348, 452, "feed-forward")
    end = d.layer(216, 348, 534, "layer norm")
    for above, below in ((cross, forward), (forward, end)):
        d.arrow(above.bottom, below.top)
    write(d, end, d.layer(216, 348, 596, "output layer", "(B, T, V)"), 660)


def transformer_block():
    d = Drawing(
        642,
        "One block of the Transformer's encoder",
        "From top to bottom: three vectors x1 to x3 go through a layer norm. Each of N heads "
        "makes its own queries, keys and values of them; a small grid shows its own weights, a "
        "row for each query. Their contexts, side by side, go through the matrix W o. A line "
        "that left before the norm brings x past all this, and it is added. Then again: a layer "
        "norm, feed-forward layers, and a line that goes past both and is added. z1 to z3 come "
        "out.",
    )
    xs, bus = (120, 180, 240), 346
    inputs = row(d.vector, xs, 30, indexed("*x*"), "key")
    norm = d.layer(50, 310, 97, "layer norm")
    descend_into(d, inputs, norm)
    joined = heads(d, norm)
    first = d.layer(50, 310, 367, "sum")
    again = d.layer(50, 310, 438, "layer norm")
    forward = d.layer(50, 310, 496, "feed-forward, each word alone")
    second = d.layer(50, 310, 554, "sum")
    for above, below in pairwise((joined, first, again, forward, second)):
        d.arrow(above.bottom, below.top)
    carry(d, xs, 62, bus, first)
    carry(d, (first.x,), 404, bus, second)
    outputs = row(d.vector, xs, 612, indexed("*z*"), "key")
    descend(d, second, outputs)
    remark(d, 30, "input", "[(B, S, D)]")
    remark(d, 612, "output", "[(B, S, D)]")
    return d


def heads(d, norm):
    """Attention heads side by side: the same input, projections of their own."""
    d.frame(22, 332, 128, 338)
    xs = (74, 168, 280)
    joined = d.layer(50, 310, 293, "side by side, then *W*_{o}", "(B, S, D)")
    for x, label, scores in zip(xs, ("head 1", "head 2", "head /N/"), HEADS, strict=True):
        head = d.box(x, 202, 40, 46, 8, "layer plain")
        d.text(x, 172, label)
        grid(d, x, 214, [softmax(line) for line in scores])
        for shift, (role, letter) in zip((-26, -2, 22), PARTS, strict=True):
            d.arrow((x + shift, norm.bottom[1]), (x + shift, head.top[1]), role=role)
            d.text(x + shift + 12, 141, letter)
        d.arrow(head.bottom, (x, joined.top[1]), role="context")
    d.text(224, 202, "…")
    d.note(34, 327, "multi-head attention")
    return joined


def grid(d, x, y, weights):
    """Weights as a small heatmap."""
    for i, line in enumerate(weights):
        for j, weight in enumerate(line):
            d.cell(x + 18 * (j - 1), y + 18 * (i - 1), "", weight, 9, 9)
