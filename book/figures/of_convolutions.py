"""The drawings of the convolutional model: its encoder, a block of it, its decoder."""

from parts import (
    READ,
    SOURCE,
    carry,
    descend,
    descend_into,
    fall,
    indexed,
    remark,
    row,
    write,
)
from pen import Drawing


def windows(d, above, below, top, bottom, before, after):
    """Each position of the row below reads those above it from `before` to `after`, in units.

    The window of the last position but one is drawn stronger.
    """
    for x in below:
        strong = x == below[-2]
        for start in above:
            if x - before <= start <= x + after:
                role, width = ("plain", 2.2) if strong else ("hint", None)
                d.line([(start, top), (x, bottom - 8)], role, width)
        d.arrow((x, bottom - 10), (x, bottom))


def conv_encoder():
    d = Drawing(
        620,
        "The convolutional encoder",
        "From top to bottom: three words and their positions 0, 1, 2 become vectors w1 to w3 "
        "and p0 to p2, which are added: e1 to e3, embedded. A linear layer follows, then L "
        "blocks of convolutions, in which every position reads itself and its two neighbours, then "
        "a linear layer: k1 to k3, conved, the keys. Past all this a line brings e to the end. "
        "There conved and embedded are added and scaled: v1 to v3, combined, the values.",
    )
    xs, left, right, bus = (138, 220, 302), 108, 332, 350
    embedded = embed_with_positions(d, xs)
    enter = d.layer(left, right, 254, "linear", "(B, S, H)")
    descend_into(d, embedded, enter)
    blocks = d.layer(left, right, 346, "/L/ convolution blocks", "(B, S, H)")
    windows(d, xs, xs, enter.bottom[1], blocks.top[1], 82, 82)
    leave = d.layer(left, right, 420, "linear", "(B, S, E)")
    d.arrow(blocks.bottom, leave.top)
    keys = row(d.vector, xs, 480, indexed("*k*"), "key")
    descend(d, leave, keys, "key")
    total = d.layer(left, right, 534, "(*k*_{i} + *e*_{i}) · √½")
    descend_into(d, keys, total)
    values = row(d.vector, xs, 588, indexed("*v*"), "value")
    descend(d, total, values, "value")
    carry(d, xs, 212, bus, total)
    remark(d, 480, "conved,", "the keys")
    remark(d, 588, "combined,", "the values")
    return d


def embed_with_positions(d, xs):
    """Words and their positions as vectors, and the sums of the two."""
    left, right = [x - 20 for x in xs], [x + 19 for x in xs]
    above = row(d.word, left, 30, SOURCE, "key")
    row(d.text, right, 30, "012")
    vectors = row(d.vector, left, 88, indexed("*w*"), "key")
    positions = row(d.vector, right, 88, ("*p*_{0}", "*p*_{1}", "*p*_{2}"), "plain")
    sums = row(d.disc, xs, 138, "+++")
    embedded = row(d.vector, xs, 186, indexed("*e*"), "key")
    fall(d, above, vectors)
    fall(d, sums, embedded)
    for word, position, total in zip(vectors, positions, sums, strict=True):
        d.arrow((position.x, 42), position.top)
        d.arrow(word.bottom, total.at(-0.7, -0.7))
        d.arrow(position.bottom, total.at(0.7, -0.7))
    remark(d, 30, "words,", "positions")
    remark(d, 88, "as vectors")
    remark(d, 186, "embedded", "[(B, S, E)]")
    return embedded


def conv_block():
    d = Drawing(
        504,
        "One block of the convolutional encoder",
        "Three vectors x1 to x3 get a zero vector on each side. Windows of three go into a "
        "convolution, which gives two halves, a and b. The sigmoid of b, a gate, is multiplied "
        "with a: a gated linear unit. A line that left before the zeros brings x past all this; "
        "it is added, the sum is scaled by the root of one half, and z1 to z3 come out.",
    )
    xs, bus = (120, 180, 240), 346
    inputs = row(d.vector, xs, 30, indexed("*x*"), "key")
    padded = row(d.vector, xs, 102, indexed("*x*"), "key")
    zeros = row(d.vector, (60, 300), 102, "00", "plain")
    fall(d, inputs, padded)
    conv = d.layer(50, 310, 188, "convolution", "(B, S, 2H)")
    places = [node.x for node in (*padded, *zeros)]
    windows(d, places, xs, padded[0].bottom[1], conv.top[1], 60, 60)
    product = gate(d, conv)
    total = d.layer(50, 310, 422, "sum · √½")
    d.arrow(product.bottom, total.top)
    outputs = row(d.vector, xs, 476, indexed("*z*"), "key")
    descend(d, total, outputs)
    carry(d, xs, 62, bus, total)
    remark(d, 30, "input", "[(B, S, H)]")
    remark(d, 476, "output", "[(B, S, H)]")
    return d


def gate(d, conv):
    """The two halves of a convolution's channels, one a gate for the other."""
    d.frame(36, 324, 224, 390)
    halves = row(d.vector, (90, 270), 256, ("*a*", "*b*"), "plain")
    descend(d, conv, halves)
    d.note(180, 247, "two halves,", "middle")
    d.text(180, 265, "[(B, S, H)]")
    sigmoid = d.layer(230, 310, 310, "sigmoid")
    d.arrow(halves[1].bottom, sigmoid.top)
    product = d.disc(180, 358, "×")
    d.arrow(halves[0].bottom, (90, 358), product.left)
    d.arrow(sigmoid.bottom, (270, 358), product.right)
    d.note(200, 376, "gated linear unit")
    return product


def conv_decoder():
    d = Drawing(
        744,
        "The convolutional decoder",
        "From top to bottom: the words <bos>, il, fait become e1 to e3, words and positions, "
        "and go through a linear layer. Then one of L blocks: two zero vectors stand before the "
        "three; each window of the gated convolution ends at its own word. A linear layer, with "
        "e added, makes the query of the block's attention; conved from the encoder are the "
        "keys, combined the values. The context, times the root of S and through a linear "
        "layer, is added to what the convolution gave, then what the block has read. After the "
        "blocks a linear layer and the output layer give logits, and the words il, fait, froid.",
    )
    xs, left, right = (208, 257, 306), 168, 326
    enter = embed_target(d, xs, left, right)
    conv = causal_convolution(d, xs, enter)
    query = d.layer(106, 268, 370, "(linear + *e*_{i}) · √½")
    carry(d, xs, 106, 38, query)
    d.arrow((218, conv.bottom[1]), (218, query.top[1]))
    attention = attend_to_source(d, query)
    found = d.layer(left, right, 546, "sum · √½")
    d.arrow(attention.bottom, (218, found.top[1]), role="context")
    d.arrow((314, conv.bottom[1]), (314, found.top[1]))
    total = d.layer(left, right, 598, "sum · √½")
    d.arrow(found.bottom, total.top)
    carry(d, xs, 182, 346, total)
    d.frame(86, 354, 168, 628)
    remark(d, 596, "one of", "/L/ blocks", x=98)
    write(d, total, d.layer(left, right, 668, "linear, output layer", "logits (B, T, V)"), 724)
    return d


def embed_target(d, xs, left, right):
    """What the decoder reads, as vectors, up to the layer before its blocks."""
    words = row(d.word, xs, 24, READ, "query")
    embedded = row(d.vector, xs, 78, indexed("*e*"), "query")
    enter = d.layer(left, right, 142, "linear")
    fall(d, words, embedded)
    descend_into(d, embedded, enter)
    remark(d, 78, "embedded,", "[(B, T, E)]")
    return enter


def causal_convolution(d, xs, enter):
    """Two zeros before the words, and windows that end at each word."""
    reads = row(d.vector, xs, 220, indexed("*x*"), "query")
    zeros = row(d.vector, (110, 159), 220, "00", "plain")
    descend(d, enter, reads)
    conv = d.layer(168, 326, 304, "gated convolution", "(B, T, H)")
    places = [node.x for node in (*zeros, *reads)]
    windows(d, places, xs, reads[0].bottom[1], conv.top[1], 98, 0)
    return conv


def attend_to_source(d, query):
    """The attention of a decoder block, with what it gets from the encoder."""
    encoder = d.layer(8, 76, 452, "encoder")
    attention = d.layer(168, 268, 452, "attention", "(B, T, E)")
    d.arrow((218, query.bottom[1]), attention.top, role="query")
    d.note(228, 407, "query")
    for side, role, name, other in (
        (-1, "key", "conved,", "keys"),
        (1, "value", "combined,", "values"),
    ):
        y = encoder.y + 9 * side
        d.arrow((76, y), (168, y), role=role)
        remark(d, encoder.y + 36 * side, name, other, x=94)
    remark(d, 502, "context", "· √/S/, linear", x=228)
    return attention
