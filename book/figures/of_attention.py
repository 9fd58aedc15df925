"""The drawings of attention itself: who uses whom, the layer, its score, its context."""

from math import sqrt

from parts import indexed, row, softmax, weighted_sum
from pen import Drawing


def hello_world():
    d = Drawing(
        176,
        "Which source word each target word uses",
        "Two rows of words. A line joins Hello above to Bonjour below. Two lines leave world, one "
        "for le, one for monde.",
    )
    d.note(14, 36, "source")
    d.note(14, 140, "target")
    source = row(d.word, (130, 270), 36, ("Hello", "world"), "key")
    target = row(d.word, (110, 203, 290), 140, ("Bonjour", "le", "monde"), "query")
    for i, j in ((0, 0), (1, 1), (1, 2)):
        d.link(source[i].bottom, target[j].top)
    return d


def attention_layer():
    d = Drawing(
        494,
        "The attention layer",
        "From top to bottom: a query q and three keys k1 to k3 go into a score function, which "
        "gives a score a1 to a3 for each key. A softmax turns the scores into weights b1 to b3. "
        "Each weight multiplies a value v1 to v3; their sum is the output o.",
    )
    xs = (160, 240, 320)
    d.note(90, 16, "query", "middle")
    d.note(240, 16, "keys", "middle")
    query = d.vector(90, 46, "*q*", "query")
    score = d.layer(60, 350, 109, "/a/_{i} = /α/(*q*, *k*_{i})")
    d.arrow(query.bottom, (90, score.top[1]), role="query")
    for key in row(d.vector, xs, 46, indexed("*k*"), "key"):
        d.arrow(key.bottom, (key.x, score.top[1]), role="key")
    scores, output = weighted_sum(d, xs, 163, d.vector, "*v*", "*o*")
    for node in scores:
        d.arrow((node.x, score.bottom[1]), node.top, role="weight")
    d.note(output.left[0] - 10, output.y, "output", "end")
    return d


def context_from_states():
    d = Drawing(
        494,
        "How the context of a step is made",
        "The decoder's last state, s t'-1, is the query; the encoder states h1 to h3 are the keys. "
        "Their scores a1 to a3 go through a softmax and become weights b1 to b3. The same encoder "
        "states, now as values, are multiplied with the weights and added: the context c t', "
        "which goes into the state s t'.",
    )
    xs = (160, 240, 320)
    d.note(66, 16, "query", "middle")
    d.note(240, 16, "encoder states, as keys", "middle")
    query = d.state(66, 54, "*s*_{t′−1}", "query", 24)
    keys = row(d.state, xs, 50, indexed("*h*"), "key")
    scores, context = weighted_sum(d, xs, 163, d.state, "*h*", "*c*_{t′}", "as values")
    bus = 112
    for key, score in zip(keys, scores, strict=True):
        start = [(score.x - 9, bus)]
        if score is scores[-1]:
            start = [query.bottom, (query.x, bus), *start]
        d.arrow(*start, score.at(-0.45, -1), role="query")
        d.arrow(key.at(0.5, 0.866), score.at(0.45, -1), role="key")
    d.note(context.left[0] - 10, context.y, "context", "end")
    d.arrow(context.right, d.state(xs[2], context.y, "*s*_{t′}", "query").left, role="context")
    return d


def dot_product_score():
    query, keys = (1, 0, 2, 1), ((1, 1, 2, 1), (0, 2, 1, 0), (2, 1, -1, 0))
    dots = [sum(q * k for q, k in zip(query, key, strict=True)) for key in keys]
    scores = [dot / sqrt(len(query)) for dot in dots]
    d = Drawing(
        324,
        "The scaled dot product as a score, in numbers",
        f"A query of four numbers, {query}, stands above three keys, {keys}. Number by number "
        f"they are multiplied, and the products added: {dots}. Divided by the root of four these "
        f"are the scores {scores}, and the softmax makes weights of them.",
    )
    d.text(20, 34, "*q*")
    d.numbers(40, 34, query, "query")
    for x, heading in ((182, "*q*·*k*_{i}"), (246, "÷ √/d/"), (320, "softmax")):
        d.text(x, 70, heading)
    table = zip(indexed("*k*"), keys, dots, scores, softmax(scores), strict=True)
    for i, (label, key, dot, score, weight) in enumerate(table):
        y = 102 + 44 * i
        d.text(20, y, label)
        d.arrow(d.numbers(40, y, key, "key").right, (168, y))
        d.text(182, y, str(dot))
        score_cell, cell = d.cell(246, y, f"{score:g}"), d.cell(320, y, f"{weight:.2f}", weight)
        d.arrow((196, y), score_cell.left)
        d.arrow(score_cell.right, cell.left, role="weight")
    write_first_row_out(d, query, keys[0], scores)
    return d


def write_first_row_out(d, query, key, scores):
    """The first score and weight of the dot-product drawing, with all their numbers."""
    products = " + ".join(f"{q}·{k}" for q, k in zip(query, key, strict=True))
    dot = sum(q * k for q, k in zip(query, key, strict=True))
    d.text(20, 240, f"*q*·*k*_{{1}} = {products} = {dot}", anchor="start")
    root = f"√/d/ = √{len(query)} = {sqrt(len(query)):g}"
    scaled = f"/a/_{{1}} = {dot} ÷ {sqrt(len(query)):g} = {scores[0]:g}"
    d.text(20, 268, f"{root},  so  {scaled}", anchor="start")
    powers = [f"/e/{'⁰¹²³'[int(score)]}" for score in scores]
    share = f"{powers[0]} ÷ ({' + '.join(powers)}) = {softmax(scores)[0]:.2f}"
    d.text(20, 296, f"/b/_{{1}} = {share}", anchor="start")
