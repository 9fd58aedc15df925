"""Search: it finds what it should, company in the batch does not matter, weights fit the words."""

import math
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small import PAIRS, VOCABS, plain_model, small_model
from torch.testing import assert_close

from d2l_lite import (
    BOS,
    EOS,
    PAD,
    Batches,
    Pair,
    TrainConfig,
    Vocab,
    fit,
    forced_weights,
    translate,
)
from d2l_lite.data import MAX_WORDS

QUERIES = ("before", "after")
SENTENCES = [pair.source for pair in PAIRS[::8]]


def trained(make, **sizes):
    """Trained a little: its translations differ, most end with <eos>, many are wrong."""
    model = make(**sizes)
    fit(model, Batches(PAIRS, *VOCABS, 16), TrainConfig(epochs=5, lr=0.02, progress=False))
    return model.cpu()


def attentive(**sizes):
    return small_model("rnn-attention", **sizes)


@pytest.fixture(scope="module")
def models():
    return {
        "rnn": trained(lambda: small_model("rnn")),
        "before": trained(attentive, query="before", bidirectional=False),
        "after": trained(attentive, query="after"),
        "conv": trained(small_model, name="conv"),
        "transformer": trained(small_model, name="transformer"),
        "plain": trained(plain_model),
        "wild": attentive(scale=8.0),  # seldom comes to an end
    }


TRAINED = ["before", "after", "conv", "transformer"]  # with attention
OURS = ["rnn", *TRAINED, "wild"]
each = pytest.mark.parametrize("name", [*OURS, "plain"])
each_of_ours = pytest.mark.parametrize("name", OURS)
each_trained = pytest.mark.parametrize("name", TRAINED)
each_beam = pytest.mark.parametrize("beam", [1, 3])


def log_probabilities(model, sentence, words):
    """Teacher-forced: row t is the model's view of word t + 1 after the first t words, (1 + T, V).

    <pad> and <bos> keep their share of the probability; search leaves them out.
    """
    src = torch.tensor([model.src_vocab.encode(sentence.split())])
    tgt_in = torch.tensor([[BOS, *words]])
    with torch.no_grad():
        return model(src, tgt_in, torch.tensor([src.shape[1]]))[0][0].log_softmax(-1)


def limit_of(sentence):
    return 2 * len(sentence.split()) + 10


@each
def test_greedy_search_takes_the_most_probable_word_at_every_step(models, name):
    model = models[name].eval()
    found = translate(model, SENTENCES)
    for sentence, translation in zip(SENTENCES, found, strict=True):
        words = []
        while len(words) < limit_of(sentence):
            scores = log_probabilities(model, sentence, words)[-1]
            scores[[PAD, BOS]] = -math.inf
            if (best := int(scores.argmax())) == EOS:
                break
            words.append(best)
        assert translation.words == model.tgt_vocab.decode(words)


@each_of_ours
@each_beam
def test_the_score_is_the_mean_log_probability_with_eos_where_it_was_written(models, name, beam):
    model = models[name].eval()
    for sentence, found in zip(SENTENCES, translate(model, SENTENCES, beam), strict=True):
        words = model.tgt_vocab.encode(found.words)
        written = words if len(words) == limit_of(sentence) else [*words, EOS]
        rows = log_probabilities(model, sentence, words)
        by_word = [rows[t, word].item() for t, word in enumerate(written)]
        assert found.score == pytest.approx(sum(by_word) / len(by_word), abs=1e-4)


TINY = Vocab(["a"]), Vocab(["x", "y"])


@pytest.mark.parametrize(("seed", "scale"), [(2, 1), (3, 1), (5, 1), (6, 1), (7, 6), (11, 6)])
def test_a_wide_beam_finds_the_best_of_all_translations(seed, scale):
    """With three words to choose from there are 1 + 3 + 9 translations of up to two words, and 27
    that the limit of three cuts off. A beam of 60 has room for them all."""
    model = small_model(vocabs=TINY, seed=seed, scale=scale).eval()
    writable = [number for number in range(len(TINY[1])) if number not in (PAD, BOS, EOS)]
    everything = {}
    for length in range(4):
        for words in product(writable, repeat=length):
            written = words if length == 3 else (*words, EOS)
            rows = log_probabilities(model, "a a", words)
            everything[words] = sum(rows[t, w].item() for t, w in enumerate(written)) / len(written)
    best = max(everything, key=everything.get)
    (found,) = translate(model, ["a a"], beam=60, max_len=3)
    assert found.score == pytest.approx(everything[best], abs=1e-4)
    assert found.words == TINY[1].decode(best)


def assert_same(found, expected):
    assert found.words == expected.words
    assert found.score == pytest.approx(expected.score, abs=1e-4)
    assert (found.weights is None) == (expected.weights is None)
    if found.weights is not None:
        assert_close(found.weights, expected.weights, atol=1e-4, rtol=0)


@settings(max_examples=20)
@given(
    name=st.sampled_from(OURS),
    beam=st.sampled_from([1, 2, 5]),
    sentences=st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=9),
    batch_size=st.integers(1, 10),
)
def test_company_and_order_do_not_matter(models, name, beam, sentences, batch_size):
    together = translate(models[name], sentences, beam, batch_size=batch_size)
    for sentence, found in zip(sentences, together, strict=True):
        assert_same(found, translate(models[name], [sentence], beam)[0])


@pytest.mark.parametrize("name", [*TRAINED, "wild"])
@each_beam
def test_weights_have_a_row_for_each_word_and_a_column_for_each_source_word(models, name, beam):
    for sentence, found in zip(SENTENCES, translate(models[name], SENTENCES, beam), strict=True):
        assert found.source_words == sentence.split()
        assert found.weights.shape == (len(found.words), len(sentence.split()))
        assert_close(found.weights.sum(-1), torch.ones(len(found.words)))


@each_trained
@each_beam
def test_weights_are_those_of_the_words_that_won(models, name, beam):
    """Beams change places; the weights must follow. Read again, the words give the same ones."""
    found = translate(models[name], SENTENCES, beam)
    pairs = [Pair(s, " ".join(f.words)) for s, f in zip(SENTENCES, found, strict=True)]
    for translation, expected in zip(found, forced_weights(models[name], pairs), strict=True):
        assert_close(translation.weights, expected, atol=1e-5, rtol=0)


def test_no_weights_without_attention(models):
    assert translate(models["rnn"], ["one"])[0].weights is None
    assert translate(models["rnn"], ["one"], beam=2)[0].weights is None
    assert forced_weights(models["rnn"], PAIRS[:2]) is None


@each_beam
def test_special_words_are_never_written(models, beam):
    for name in ("rnn", "wild"):
        for found in translate(models[name], SENTENCES, beam):
            assert not {"<pad>", "<bos>", "<eos>"} & set(found.words)


@each_beam
@pytest.mark.parametrize(("max_len", "expected"), [(None, 14), (1, 1), (4, 4)])
def test_what_does_not_end_is_cut_at_the_limit(beam, max_len, expected):
    """Two source words: by default 2 · 2 + 10."""
    model = small_model(scale=8.0)
    model.decoder.output.bias.data[EOS] = -1e4
    (found,) = translate(model, ["one two"], beam, max_len)
    assert len(found.words) == len(found.weights) == expected


@each_beam
def test_an_empty_translation_has_no_weights_in_it(beam):
    model = small_model()
    model.decoder.output.bias.data[EOS] = 1e4
    (found,) = translate(model, ["one two"], beam)
    assert (found.words, found.text, found.weights.shape) == ([], "", (0, 2))
    assert found.score == pytest.approx(0)


@each_beam
def test_a_model_that_has_diverged_shows_it(beam):
    model = small_model()
    model.decoder.output.bias.data.fill_(torch.nan)
    (found,) = translate(model, ["one two"], beam, max_len=3)
    assert math.isnan(found.score)


@each_beam
def test_the_batch_size_counts_hypotheses(monkeypatch, beam):
    model, rows = small_model(), []
    step = model.decoder.step
    monkeypatch.setattr(
        model.decoder, "step", lambda words, state: rows.append(len(words)) or step(words, state)
    )
    translate(model, ["one"] * 20, beam, batch_size=6)
    assert max(rows) == 6


def test_a_decoder_without_step_and_select_translates_greedily_alone(models):
    plain = models["plain"]
    found = translate(plain, SENTENCES)
    assert all(translation.weights is None for translation in found)
    for sentence, translation in zip(SENTENCES, found, strict=True):
        assert_same(translation, translate(plain, [sentence])[0])
    with pytest.raises(ValueError, match="beam 2 needs a decoder with step and select"):
        translate(plain, ["one"], beam=2)


def test_unknown_words_are_kept_and_named(models):
    (found,) = translate(models["after"], ["One million and TWO!"])
    assert found.source_words == ["one", "million", "and", "two", "!"]
    assert found.unknown == ["million", "and", "!"]
    assert found.weights.shape[1] == 5


def test_a_very_long_sentence_is_refused_and_the_longest_allowed_is_not(models):
    with pytest.raises(ValueError, match=f"10000 words; .* {MAX_WORDS}: 'one one"):
        translate(models["after"], ["one " * 10_000])
    (found,) = translate(models["after"], ["one " * MAX_WORDS], max_len=2)
    assert found.weights.shape[1] == MAX_WORDS


def without_vocabs():
    model = small_model()
    model.src_vocab = None
    return model


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sentences": "one two"}, "list of sentences, not the one string 'one two'"),
        ({"sentences": ["one", ""]}, "the sentence '' has no word"),
        ({"sentences": [" \u00a0\t"]}, r"the sentence ' \\xa0\\t' has no word"),
        ({"beam": 0}, "beam must be at least 1, not 0"),
        ({"beam": -3}, "beam must be at least 1, not -3"),
        ({"max_len": 0}, "max_len must be .* 0"),
        ({"max_len": -1}, "max_len must be .* -1"),
        ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"model": without_vocabs()}, "no vocabularies"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        translate(**{"model": small_model(), "sentences": ["one"], **arguments})


def test_no_sentences_no_translations(models):
    assert translate(models["after"], []) == []


def test_sentences_may_come_one_by_one():
    model, sentences = small_model(), ["one two", "three"]
    for found, expected in zip(
        translate(model, iter(sentences)), translate(model, sentences), strict=True
    ):
        assert_same(found, expected)


def test_a_part_that_is_in_another_mode_stays_in_it():
    model = small_model(dropout=0.5).train()
    model.encoder.eval()
    translate(model, ["one two"])
    assert model.training and model.decoder.training and not model.encoder.training


@pytest.mark.parametrize("training", [True, False])
def test_the_model_keeps_its_mode_and_its_weights(training):
    model = small_model(dropout=0.5).train(training)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert_same(translate(model, ["one two"])[0], translate(model, ["one two"])[0])
    forced_weights(model, PAIRS[:1])
    assert all(module.training == training for module in model.modules())
    assert_close(model.state_dict(), before)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_mode_comes_back_after_an_error_too(monkeypatch):
    model = small_model().train()
    monkeypatch.setattr(model.decoder, "step", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        translate(model, ["one"])
    assert model.training


@each_trained
def test_forced_weights_equal_those_of_single_steps(models, name):
    model, pairs = models[name].eval(), PAIRS[::20]
    for pair, weights in zip(pairs, forced_weights(model, pairs), strict=True):
        source, target = pair.source.split(), pair.target.split()
        assert weights.shape == (len(target), len(source))
        src = torch.tensor([model.src_vocab.encode(source)])
        state = model.start(src, torch.tensor([len(source)]))
        word = BOS
        for row, following in zip(weights, model.tgt_vocab.encode(target), strict=True):
            _, state, expected = model.decoder.step(torch.tensor([word]), state)
            assert_close(row, expected[0], atol=1e-6, rtol=0)
            word = following


@each_trained
def test_forced_weights_of_every_attention_have_the_plain_ones_as_their_mean(models, name):
    """One in the RNNs; two blocks in "conv"; two blocks of two heads in "transformer"."""
    pairs = PAIRS[::20]
    plain, every = (forced_weights(models[name], pairs, 3, every=each) for each in (False, True))
    for pair, one, many in zip(pairs, plain, every, strict=True):
        words = len(pair.target.split()), len(pair.source.split())
        assert many.shape == ({"conv": 2, "transformer": 4}.get(name, 1), *words)
        assert_close(many.mean(dim=0), one)
    assert forced_weights(models["rnn"], pairs, every=True) is None
