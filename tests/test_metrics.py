"""BLEU against sacreBLEU itself, exact match, perplexity, alignment error rate."""

import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU

from d2l_lite import (
    alignment_error_rate,
    alignment_score,
    bleu,
    exact_match,
    perplexity,
    wilson_interval,
)

WORDS = "the a cat dog Tom sees likes old red house , . to for with".split()
words = st.sampled_from(WORDS)
sentences = st.lists(words, min_size=1, max_size=9).map(" ".join)
corpora = st.lists(
    st.tuples(sentences, st.lists(sentences, min_size=1, max_size=3)), min_size=1, max_size=5
)


def noisy_corpus(count=150, noise=0.3):
    """Sentences with one to three references and a translation that has `noise` wrong words."""
    generator = random.Random(0)
    hypotheses, references = [], []
    for _ in range(count):
        right = generator.choices(WORDS, k=generator.randint(4, 9))
        wrong = [generator.choice(WORDS) if generator.random() < noise else w for w in right]
        others = [generator.choices(WORDS, k=6) for _ in range(generator.randint(0, 2))]
        hypotheses.append(" ".join(wrong))
        references.append([" ".join(reference) for reference in (right, *others)])
    return hypotheses, references


def test_bleu_by_hand():
    """All n-grams of "a b c d" are in "a b c d e", which is one word longer: e^(1 - 5/4)."""
    assert bleu(["a b c d"], [["a b c d e"]]).score == pytest.approx(100 * math.exp(-1 / 4))


def test_bleu_takes_the_best_of_references_of_different_number():
    """The second sentence has one reference; the first is its second one, word for word."""
    hypotheses = ["the cat is very old .", "he likes a red house ."]
    references = [["the tomcat has years .", "The cat is very old."], ["He likes a red house."]]
    assert bleu(hypotheses, references).score == pytest.approx(100)
    assert bleu(hypotheses, [references[0][:1], references[1]]).score < 80


@given(corpora)
def test_bleu_is_sacrebleus(corpus):
    """A reference given twice counts once, so all sentences can be filled up to three."""
    hypotheses, references = zip(*corpus, strict=True)
    streams = [[(right * 3)[k] for right in references] for k in range(3)]
    expected = BLEU(lowercase=True, tokenize="13a").corpus_score(list(hypotheses), streams)
    assert bleu(hypotheses, references, resamples=10).score == pytest.approx(expected.score)


@given(corpora)
def test_bleu_cares_neither_for_case_nor_for_the_order_of_references(corpus):
    hypotheses, references = zip(*corpus, strict=True)
    score, _, _ = bleu(hypotheses, references, resamples=0)
    turned = [right[::-1] for right in references]
    assert bleu([text.upper() for text in hypotheses], turned, resamples=0).score == score


def test_the_interval_is_sacrebleus_bootstrap():
    """sacreBLEU draws other samples, so the two agree but for a tenth of the width."""
    hypotheses, references = noisy_corpus()
    score, (low, high), _ = bleu(hypotheses, references)
    streams = [[(right * 3)[k] for right in references] for k in range(3)]
    theirs = BLEU(lowercase=True).corpus_score(hypotheses, streams, n_bootstrap=1000)
    width = 2 * theirs._ci
    assert 0 < low < score < high < 100
    assert abs((high - low) - width) < 0.1 * width
    assert abs((high + low) / 2 - theirs._mean) < 0.1 * width


def test_the_interval_narrows_with_more_sentences():
    small, large = (bleu(*noisy_corpus(count)).interval for count in (40, 400))
    assert large[1] - large[0] < 0.6 * (small[1] - small[0])


def test_bleu_repeats_itself_and_leaves_random_states_alone():
    corpus = noisy_corpus(20)
    np.random.seed(0)
    first = bleu(*corpus)
    untouched = np.random.random()
    np.random.seed(0)
    assert np.random.random() == untouched
    assert bleu(*corpus) == first


def test_bleu_at_its_ends():
    perfect = bleu(["a b c d e"] * 3, [["a b c d e"]] * 3)
    assert perfect.score == pytest.approx(100)
    assert (
        perfect.interval == (pytest.approx(100), pytest.approx(100)) and perfect.interval[1] <= 100
    )
    assert bleu(["x y z"], [["a b c"]]).interval == (0, 0)
    assert bleu(["", "a b c d e"], [["u v"], ["a b c d e"]], resamples=0).interval is None


def test_the_signature_says_how_it_was_scored():
    signature = bleu(*noisy_corpus(5)).signature
    for part in ("case:lc", "tok:13a", "smooth:exp", "eff:no", "nrefs:var"):
        assert part in signature


def test_exact_match_by_hand():
    """The first and the third of four are among their references."""
    references = [["a b", "b a"], ["a"], ["c"], ["d"]]
    assert exact_match(["b a", "b", "c", "D"], references) == 0.5
    assert exact_match([["b", "a"], ["b"]], [[["a", "b"], ["b", "a"]], [["a"]]]) == 0.5


@pytest.mark.parametrize("metric", [bleu, exact_match])
@pytest.mark.parametrize(
    ("hypotheses", "references", "named"),
    [
        ([], [], "0 .* 0"),
        (["a"], [["a"], ["b"]], "1 .* 2"),
        (["a", "b"], [["a"]], "2 .* 1"),
        (["a", "b"], [["a"], []], r"hypothesis 1 .*\[\]"),
        (["a", "b"], [["a"], "b"], "hypothesis 1 .*'b'"),
    ],
)
def test_references_that_do_not_fit_are_named(metric, hypotheses, references, named):
    with pytest.raises(ValueError, match=named):
        metric(hypotheses, references)


def test_wilson_by_hand():
    """None of 4: the low end is 0, the high one z² / (n + z²) = 3.84 / 7.84."""
    assert wilson_interval(0, 4) == pytest.approx((0, 0.49), abs=1e-3)


@given(st.data(), st.integers(1, 300))
def test_wilsons_ends_are_the_shares_that_lie_1_96_deviations_away(data, count):
    hits = data.draw(st.integers(0, count))
    low, high = wilson_interval(hits, count)
    assert 0 <= low <= hits / count + 1e-9
    assert hits / count - 1e-9 <= high <= 1
    for end in (low, high):
        distance = abs(hits / count - end)
        assert distance == pytest.approx(1.96 * math.sqrt(end * (1 - end) / count), abs=1e-6)
    assert wilson_interval(count - hits, count) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(("hits", "count"), [(0, 0), (-1, 4), (5, 4), (math.nan, 4)])
def test_what_is_no_share_is_named(hits, count):
    with pytest.raises(ValueError, match=f"{hits} of {count}"):
        wilson_interval(hits, count)


@pytest.mark.parametrize(
    ("loss", "expected"), [(0, 1), (math.log(50), 50), (1e6, math.inf), (math.inf, math.inf)]
)
def test_perplexity(loss, expected):
    """All 50 words equally likely cost ln 50: perplexity 50."""
    assert perplexity(loss) == pytest.approx(expected)


def test_perplexity_of_nan_is_nan():
    assert math.isnan(perplexity(math.nan))


# The red car, la voiture rouge: (source word, target word)
RED_CAR = ((0, 0), (1, 2), (2, 1))


def test_alignment_error_by_hand():
    """Looking straight across finds one link of three (the, la): 1 - 2 · 1 / (3 + 3) = 2/3."""
    assert alignment_error_rate([np.eye(3)], [RED_CAR]) == pytest.approx(2 / 3)
    assert alignment_error_rate([np.eye(3)[[0, 2, 1]]], [RED_CAR]) == 0


def test_one_link_a_word_cannot_find_all_of_two():
    """au is "to the": gold (0, 0), (1, 0), and (2, 1). Two links found of three: 1 - 4 / 5."""
    gold = [(0, 0), (1, 0), (2, 1)]
    weights = np.array([[0.6, 0.4, 0.0], [0.1, 0.1, 0.8]])
    assert alignment_error_rate([weights], [gold]) == pytest.approx(1 / 5)


def test_best_and_mass_by_hand():
    """The same pair: both target words have a gold link, so two of three can be found at best;
    au has 0.6 + 0.4 of its weight on gold, the other word 0.8."""
    gold = [(0, 0), (1, 0), (2, 1)]
    weights = np.array([[0.6, 0.4, 0.0], [0.1, 0.1, 0.8]])
    assert alignment_score([weights], [gold]) == pytest.approx((1 / 5, 1 / 5, 0.9))
    assert alignment_score([weights[::-1]], [gold]) == pytest.approx((1, 1 / 5, 0.1))


def test_a_word_without_gold_costs_a_link_and_has_no_mass():
    """One of two target words is linked: the best is 1 - 2 · 1 / (2 + 1)."""
    score = alignment_score([np.full((2, 4), 0.25)], [[(3, 1)]])
    assert score == pytest.approx((1, 1 / 3, 0.25))


def test_alignment_errors_are_summed_over_the_corpus():
    """Links: 1 of 3 and 3, 2 of 2 and 2, none: 1 - 2 · 3 / 10, not the mean of 2/3 and 0."""
    weights = [np.eye(3), np.eye(2), np.zeros((0, 4))]
    gold = [RED_CAR, [(0, 0), (1, 1)], []]
    assert alignment_error_rate(weights, gold) == pytest.approx(0.4)


@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    seed=st.integers(0, 2**31),
)
def test_alignment_error_lies_between_its_ends(shape, seed):
    generator = np.random.default_rng(seed)
    weights = generator.random(shape)
    found = [(int(s), t) for t, s in enumerate(weights.argmax(1))]
    gold = [(int(generator.integers(shape[1])), t) for t in range(shape[0])]
    assert alignment_error_rate([weights], [found]) == 0
    score = alignment_score([weights / weights.sum(axis=1, keepdims=True)], [gold])
    assert 0 <= score.best <= score.error_rate <= 1
    assert 0 <= score.mass <= 1
    missed = [(s, t) for s in range(shape[1]) for t in range(shape[0]) if (s, t) not in found]
    if missed:
        assert alignment_error_rate([weights], [missed]) == 1


def test_weights_and_links_in_other_clothes():
    """A batch as one tensor; links as lists, as JSON has them, or twice."""
    weights = torch.eye(3)[[0, 2, 1]]
    assert alignment_error_rate(weights[None].repeat(2, 1, 1), [RED_CAR, RED_CAR]) == 0
    assert alignment_error_rate([weights.tolist()], [[list(link) for link in RED_CAR]]) == 0
    assert alignment_error_rate([weights], [RED_CAR + RED_CAR]) == 0


@pytest.mark.parametrize(
    ("weights", "gold", "named"),
    [
        ([], [], "0 .* 0"),
        ([np.eye(3)], [RED_CAR, RED_CAR], "1 .* 2"),
        ([np.eye(3), np.eye(2)], [RED_CAR, [(2, 0)]], r"\(2, 0\).* 1.*\(2, 2\)"),
        ([np.eye(2)], [[(0, 2)]], r"\(0, 2\).*\(2, 2\)"),
        ([np.eye(2)], [[(-1, 0)]], r"\(-1, 0\)"),
        ([np.eye(2), np.full((2, 2), np.nan)], [[], []], "weights 1"),
        ([np.ones(3)], [[]], r"weights 0.*\(3,\)"),
        ([np.ones((2, 0))], [[]], r"weights 0.*\(2, 0\)"),
        ([np.ones((0, 2))], [[]], "no gold link"),
        ([np.eye(2), np.eye(3)], [[], []], "no gold link"),
    ],
)
def test_alignments_that_cannot_be_scored_say_why(weights, gold, named):
    with pytest.raises(ValueError, match=named):
        alignment_error_rate(weights, gold)
