"""The interactive figures of pages that are not notebooks; `{live} NAME` puts one there."""

import d2l_lite as d2l
from d2l_lite import figures

SENTENCE = "Tom doesn't like red apples."


def home():
    """What the model that ships with the book writes for a sentence, and where it looks."""
    (found,) = d2l.translate(d2l.load_run("fra-eng-rnn-attention").model, [SENTENCE])
    weights = {"fra-eng": found.weights}
    return figures.cross_attention(weights, found.source_words, found.words)
