"""The two models that the translator's page loads, in Node beside torch, on 500 sentences each."""

from functools import cache
from itertools import islice

import pytest
from node import ask, assert_same, values

from d2l_lite import load_pairs, load_run, split_pairs, tokenize, translate
from d2l_lite.data import find_fra_eng
from d2l_lite.figures.export import export, rounded

# The largest that the shipped file may be, in bytes.
RUNS = {"mini-fra-long-rnn-attention": 1_000_000, "fra-eng-rnn-attention": 5_000_000}
EVERY = {"float32": 1, "int8": 5}  # of how many sentences Node translates one
each_run = pytest.mark.parametrize("name", RUNS)


@cache
def sentences(name):
    """500 sentences that the model has not seen, or for fra-eng: such as the model was made for.

    Where the corpus is not to be had, these are short sentences whose words it knows.
    """
    if "fra-eng" not in name:
        pairs = [*load_pairs("mini-fra"), *load_pairs("mini-fra-long", max_len=14)]
        pairs = [pair for part in split_pairs(pairs)[1:] for pair in part]
    elif find_fra_eng():
        pairs = split_pairs(load_pairs("fra-eng", 50_000)).test
    else:
        known = load_run(name).model.src_vocab
        pairs = [
            pair
            for pair in load_pairs("mini-fra", max_len=5)
            if all(word in known for word in tokenize(pair.source))
        ]
    sources = list(dict.fromkeys(pair.source for pair in pairs))
    return sources[:: len(sources) // 500][:500]


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """A function: name, precision -> the file, greedy translations, some by beam search.

    With float32 these are 500, and 20 by beam search. With int8 every fifth sentence is enough to
    see that the browser holds the rounded model; torch translates the rest with that, and faster.
    """
    folder = tmp_path_factory.mktemp("shipped")
    kinds = [(name, precision) for name in RUNS for precision in ("float32", "int8")]
    files, calls = {}, []
    for name, precision in kinds:
        files[name, precision] = folder / f"{name}-{precision}.js"
        export(name, files[name, precision], precision)
        stem = files[name, precision].stem
        calls += [[stem, "translate", text] for text in sentences(name)[:: EVERY[precision]]]
        if precision == "float32":
            calls += [[stem, "translate", text, {"beam": 4}] for text in sentences(name)[::25]]
    found = iter(values(ask(files.values(), calls)))
    beams = {"float32": 20, "int8": 0}
    answers = {
        (name, precision): (
            [*islice(found, 500 // EVERY[precision])],
            [*islice(found, beams[precision])],
        )
        for name, precision in kinds
    }
    return lambda *kind: (files[kind], *answers[kind])


@cache
def greedy(name, precision="float32"):
    return translate(rounded(load_run(name).model, precision), sentences(name))


@each_run
def test_there_are_500_sentences(name):
    assert len(set(sentences(name))) == 500
    assert sum(bool(translation.words) for translation in greedy(name)) > 490


@each_run
def test_float32_gives_the_words_and_weights_of_torch(shipped, name):
    _, found, _ = shipped(name, "float32")
    for theirs, ours in zip(found, greedy(name), strict=True):
        assert_same(theirs, ours)


@each_run
def test_beam_search_gives_the_words_and_scores_of_torch(shipped, name):
    _, _, found = shipped(name, "float32")
    expected = translate(load_run(name).model, sentences(name)[::25], beam=4)
    assert len(found) == len(expected) == 20
    for theirs, ours in zip(found, expected, strict=True):
        assert_same(theirs, ours)


@each_run
def test_the_shipped_form_is_small_and_translates_97_in_100_alike(shipped, name):
    """Measured with the rounded model, which the next test finds in the browser, too."""
    file, _, _ = shipped(name, "int8")
    assert file.stat().st_size < RUNS[name]
    pairs = zip(greedy(name, "int8"), greedy(name), strict=True)
    same = [theirs.words == ours.words for theirs, ours in pairs]
    assert len(same) == 500
    assert sum(same) >= 0.97 * len(same)


@each_run
def test_the_shipped_form_is_the_rounded_model(shipped, name):
    _, found, _ = shipped(name, "int8")
    expected = greedy(name, "int8")[:: EVERY["int8"]]
    assert len(found) == len(expected) == 100
    for theirs, ours in zip(found, expected, strict=True):
        assert_same(theirs, ours)
