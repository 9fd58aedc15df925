"""What several drawings share: a sentence, an encoder, a decoder, a weighted sum, arrows."""

from itertools import accumulate, pairwise
from math import exp

from pen import pill

SOURCE, TARGET = ("it", "is", "cold"), ("il", "fait", "froid")
READ = ("<bos>", *TARGET[:2])  # what a decoder reads while it writes TARGET
# Scores chosen for the drawings: what each target word might look for in the source.
SCORES = ((3, 0, 0), (0, 2, 1), (0, 0, 3))
STEPS = (114, 209, 304)  # x of encoder and decoder states
START = 34  # x of what the decoder starts from
WORDS_Y, READS_Y, CONTEXT_Y, WRITES_Y, OUT_Y = 42, 102, 198, 270, 340


def softmax(scores):
    """Weights that add up to 1."""
    shares = [exp(score) for score in scores]
    return [share / sum(shares) for share in shares]


def row(shape, xs, y, labels, *rest):
    """The same kind of shape at several places of a line."""
    return [shape(x, y, label, *rest) for x, label in zip(xs, labels, strict=True)]


def indexed(symbol, count=3):
    """Labels of a row: the symbol with 1, 2, …"""
    return [f"{symbol}_{{{i}}}" for i in range(1, count + 1)]


def chain(d, nodes):
    """Arrows from each node to its right neighbour."""
    for left, right in pairwise(nodes):
        d.arrow(left.right, right.left)


def spread(d, words, left, right, y, role):
    """A line of words from left to right, with equal gaps."""
    widths = [pill(word) for word in words]
    gap = (right - left - sum(widths)) / (len(words) - 1)
    ends = [left + end + gap * i for i, end in enumerate(accumulate(widths))]
    xs = [end - width / 2 for end, width in zip(ends, widths, strict=True)]
    return row(d.word, xs, y, words, role)


def encode(d, xs, words):
    """Source words and the states that an encoder makes of them."""
    row(d.text, xs, 15, indexed("/x/", len(xs)))
    pills = row(d.word, xs, WORDS_Y, words, "key")
    states = row(d.state, xs, READS_Y, indexed("*h*", len(xs)), "key")
    for word, state in zip(pills, states, strict=True):
        d.arrow(word.bottom, state.top)
    chain(d, states)
    return states


def decode(d, xs, words, y, out_y):
    """Decoder states in a row; each writes a word below it, which the next one reads."""
    states = row(d.state, xs, y, indexed("*s*", len(xs)), "query")
    pills = row(d.word, (START, *xs), out_y, ("<bos>", *words), "query")
    chain(d, states)
    for state, read, written in zip(states, pills, pills[1:], strict=False):
        d.arrow(read.at(0.5, -1), state.at(-0.7, 0.7))
        d.arrow(state.bottom, written.top)
    return states


def weighted_sum(d, xs, y, shape, symbol, output, values="values"):
    """From the scores at y on: scores, softmax, weights, weighted values, their sum."""
    scores = row(d.cell, xs, y, indexed("/a/"))
    box = d.layer(xs[0] - 30, xs[-1] + 30, y + 55, "softmax")
    total = d.layer(xs[0] - 30, xs[-1] + 30, y + 243, f"sum of  /b/_{{i}} {symbol}_{{i}}")
    weights = softmax((2, 0, 1))
    for i, (x, value) in enumerate(zip(xs, indexed(symbol), strict=True)):
        d.arrow(scores[i].bottom, (x, box.top[1]), role="weight")
        cell = d.cell(x, y + 109, f"/b/_{{{i + 1}}}", weights[i])
        d.arrow((x, box.bottom[1]), cell.top, role="weight")
        d.text(x, y + 137, "×")
        d.link(shape(x, y + 167, value, "value").bottom, (x, total.top[1]), weights[i])
    result = d.vector(xs[1], y + 299, output, "context")
    d.arrow(total.bottom, result.top, role="context")
    for name, down in (("scores", 0), ("weights", 109), (values, 167)):
        d.note(14, y + down, name)
    return scores, result


def fall(d, upper, lower, role="plain"):
    """An arrow from each shape of a row to the one below it."""
    for above, below in zip(upper, lower, strict=True):
        d.arrow(above.bottom, below.top, role=role)


def descend(d, box, nodes, role="plain"):
    """An arrow from a wide box to each shape below it."""
    for node in nodes:
        d.arrow((node.x, box.bottom[1]), node.top, role=role)


def descend_into(d, nodes, box, role="plain"):
    """An arrow from each shape to the wide box below."""
    for node in nodes:
        d.arrow(node.bottom, (node.x, box.top[1]), role=role)


def remark(d, y, *lines, x=14):
    """A note of one or two lines beside a row."""
    for i, line in enumerate(lines):
        d.note(x, y + 18 * i - 9 * (len(lines) - 1), line)


def carry(d, xs, y, bus, total):
    """What passes at the height y also goes down the side, into a sum."""
    d.line([(xs[0], y), (xs[-1], y)])
    to_left = bus < xs[0]
    starts = [(x, y) for x in (xs if to_left else xs[::-1])]
    d.branch(starts, (bus, y), (bus, total.y), total.left if to_left else total.right)


def write(d, above, output, y):
    """The output layer below what it reads, and the next words below that."""
    d.arrow(above.bottom, output.top)
    spread(d, TARGET, output.x - 69, output.x + 69, y, "query")
    d.arrow(output.bottom, (output.x, y - 14))
