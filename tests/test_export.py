"""The translator of the browser, run by Node: it says what torch says, and what is wrong."""

import re
import unicodedata
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from node import ask, assert_same, values
from small import PAIRS, RNN_ATTENTIVE, VOCABS, small_model

from d2l_lite import (
    Vocab,
    detokenize,
    load_pairs,
    load_run,
    save_run,
    tokenize,
    translate,
)
from d2l_lite.data import MAX_WORDS
from d2l_lite.figures.export import PRECISIONS, export, rounded

VARIANTS = {
    **{name: sizes for name, (_, sizes) in RNN_ATTENTIVE.items()},
    "one-way": {"bidirectional": False},
    "layers": {"num_layers": 2, "query": "before"},
    "one-way-layers": {"num_layers": 3, "bidirectional": False},
}
NUMBERS = [pair.source for pair in PAIRS[::8]]


# Every model that build_model("rnn-attention") can make.


def exported(model, path, precision="float32"):
    save_run(path.with_suffix(""), model)
    export(path.with_suffix(""), path, precision)
    return path


def test_every_variant_gives_the_words_weights_and_scores_of_torch(tmp_path):
    models = {name: small_model(scale=5.0, **sizes) for name, sizes in VARIANTS.items()}
    files = [exported(model, tmp_path / f"{name}.js") for name, model in models.items()]
    options = [{}, {"beam": 3}, {"beam": 2, "maxLen": 4}]
    calls = [[n, "translate", text, o] for n in models for o in options for text in NUMBERS]
    found = iter(values(ask(files, calls)))
    different = set()
    for model in models.values():
        for option in options:
            beam, most = option.get("beam", 1), option.get("maxLen")
            for ours in translate(model, NUMBERS, beam=beam, max_len=most):
                assert_same(next(found), ours)
                different.add(tuple(ours.words))
    assert len(different) > 200  # they do say something


@pytest.mark.parametrize("precision", ["int8", "float16"])
def test_a_rounded_model_is_what_the_file_holds(tmp_path, precision):
    """Its matrices have odd numbers of weights: the file begins each at a whole four bytes."""
    model = small_model(scale=5.0, embed_size=15, hidden_size=22)
    found = ask(
        [exported(model, tmp_path / "tiny.js", precision)],
        [["tiny", "translate", text] for text in NUMBERS],
    )
    expected = translate(rounded(model, precision), NUMBERS)
    for theirs, ours in zip(values(found), expected, strict=True):
        assert_same(theirs, ours)


# How numbers are rounded.


def test_int8_counts_in_steps_of_a_127th_of_the_rows_largest_number():
    """Row 0: steps of 1. Row 1: steps of 0.02. A row of zeros stays so, and a bias as it is."""
    model = small_model()
    with torch.no_grad():
        rows = model.encoder.embedding.weight
        rows.zero_()
        rows[0, :4] = torch.tensor([-127.0, 1.4, -0.6, 0.4])
        rows[1, :3] = torch.tensor([2.54, 0.031, -0.029])
        bias = model.encoder.rnn.bias_ih_l0.clone()
    found = rounded(model, "int8").encoder
    assert found.embedding.weight[0, :4].tolist() == [-127, 1, -1, 0]
    assert found.embedding.weight[1, :3].tolist() == pytest.approx([2.54, 0.04, -0.02])
    assert not found.embedding.weight[2:].any()
    assert torch.equal(found.rnn.bias_ih_l0, bias)
    assert rows[0, 1].item() == pytest.approx(1.4)  # the model itself is as it was


@given(seed=st.integers(0, 1000))
def test_no_number_is_off_by_more_than_half_a_step(seed):
    model = small_model(seed=seed)
    pairs = zip(model.parameters(), rounded(model, "int8").parameters(), strict=True)
    for before, after in pairs:
        step = before.detach().abs().amax(dim=-1, keepdim=True) / 127
        assert ((before - after).abs() <= 0.5001 * step).all()


def test_float16_is_that_of_torch_and_float32_changes_nothing():
    model = small_model()
    halves, same = (rounded(model, precision) for precision in ("float16", "float32"))
    for before, half, kept in zip(*(m.parameters() for m in (model, halves, same)), strict=True):
        assert torch.equal(
            half, before.half().float() if before.dim() > 1 and len(before) > 1 else before
        )
        assert torch.equal(kept, before)
    assert halves.decoder.output.weight is halves.decoder.embedding.weight


def test_export_returns_how_far_the_weights_are_off(tmp_path):
    save_run(tmp_path / "run", small_model())
    errors = [export(tmp_path / "run", tmp_path / "out.js", precision) for precision in PRECISIONS]
    assert 0.001 < errors[0] < 0.02
    assert 0 < errors[1] < 0.001
    assert errors[2] == 0


# Words.

PIECES = (
    "i dog Tom can it do 's 'm 'll don't couldn't n't $ 3.50 dogs' <unk> <b>alert(1)</b> 5:30 _ "
    "l' qu' jusqu' n’ ami école aujourd'hui vas -tu -t-il -la « » là É ÎLE ΟΔΟΣ İ ß é ﬁ ² Ⅷ ½ "
    ". , ! ? ( ) [ ¿ \" … - — ' ’ 10 % 日 本 カ 。 ไทย हिन्दी עִברִית 한국 👩‍👧 \u1d9c"
).split()
SPACES = ("", " ", "\xa0", "\x1c", "\x85", "\ufeff", "\u200b", "\t")
# What this Python's Unicode does not know yet, Node's may.
LETTERS = st.characters(exclude_categories=("Cs", "Cn"))
TEXTS = st.one_of(
    st.text(LETTERS, max_size=20),
    st.lists(
        st.tuples(st.sampled_from(PIECES), st.sampled_from(SPACES)).map("".join), max_size=8
    ).map("".join),
)


def drawn(strategy, count):
    """Examples of a strategy, to be looked at together: Node starts once."""
    found = []

    @settings(max_examples=count, database=None)
    @given(strategy)
    def collect(example):
        found.append(example)

    collect()
    return found


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return exported(small_model(scale=5.0), tmp_path_factory.mktemp("tiny") / "tiny.js")


def test_words_are_cut_and_glued_as_in_python(tiny):
    real = [text for pair in load_pairs("mini-fra-long", 300) for text in pair[:2]]
    texts = [*real, *drawn(TEXTS, 300)]
    words = [tokenize(text) for text in texts]
    rows = [*words, *drawn(st.lists(st.sampled_from([*PIECES, *words[0]]), max_size=6), 100)]
    calls = [["tiny", "tokenize", text] for text in texts]
    calls += [["tiny", "detokenize", row] for row in rows]
    expected = [*words, *map(detokenize, rows)]
    for call, found, ours in zip(calls, values(ask([tiny], calls)), expected, strict=True):
        assert found == ours, call


def test_every_character_is_cut_as_in_python(tiny):
    """One of each 23 that this Python knows, between letters and alone."""
    known = [c for c in map(chr, range(0x110000)) if unicodedata.category(c) not in ("Cn", "Cs")]
    texts = [f"a{c}b {c} c'{c}" for c in known[::23]]
    found = values(ask([tiny], [["tiny", "tokenize", text] for text in texts]))
    assert found == [tokenize(text) for text in texts]


# A word at a time.


def test_greedy_steps_show_each_word_with_its_weights_and_rivals(tiny):
    model = load_run(tiny.with_suffix("")).model
    text = NUMBERS[-1]
    steps, whole = values(ask([tiny], [["tiny", "steps", text], ["tiny", "translate", text]]))
    src = torch.tensor([model.src_vocab.encode(tokenize(text))])
    state, word = model.start(src, torch.tensor([src.shape[1]])), torch.tensor([1])
    for number, [hypothesis] in enumerate(steps):
        with torch.no_grad():
            logits, state, weights = model.decoder.step(word, state)
        probabilities = logits[0].softmax(-1)
        probabilities[:2] = 0  # <pad> and <bos> are never written
        best = probabilities.topk(5)
        shown = hypothesis["candidates"]
        assert [rival["word"] for rival in shown] == model.tgt_vocab.decode(best.indices)
        found = [rival["probability"] for rival in shown]
        assert found == pytest.approx(best.values.tolist(), abs=1e-5)
        word = best.indices[:1]
        assert hypothesis["ended"] == (word == 2)
        if not hypothesis["ended"]:
            assert hypothesis["words"] == whole["words"][: number + 1]
            assert hypothesis["weights"][-1] == pytest.approx(weights[0].tolist(), abs=1e-5)
    assert hypothesis["score"] == whole["score"]


def test_steps_of_beam_search_name_their_parents(tiny):
    [steps] = values(ask([tiny], [["tiny", "steps", NUMBERS[-1], {"beam": 3}]]))
    assert len(steps) > 3
    for before, after in pairwise(steps):
        scores = [hypothesis["total"] for hypothesis in after]
        assert scores == sorted(scores, reverse=True)
        over = after is steps[-1] and any(hypothesis["ended"] for hypothesis in after)
        assert over or sum(not hypothesis["ended"] for hypothesis in after) == 3
        for hypothesis in after:
            parent = before[hypothesis["parent"]]
            assert not parent["ended"]
            own = len(hypothesis["words"]) - (not hypothesis["ended"])
            assert hypothesis["words"][:own] == parent["words"]
            assert len(hypothesis["weights"]) == len(hypothesis["words"])


def test_words_that_the_model_does_not_know_are_named(tmp_path):
    """Here <unk> is all that the model writes: its weights tell which source word it stands for."""
    model = small_model(scale=5.0)
    model.decoder.output.bias.data[3] = 1000.0
    text = '<img src="x" onerror="alert(1)"> один 二'
    calls = [["tiny", "translate", text, {"maxLen": 2}]]
    [found] = values(ask([exported(model, tmp_path / "tiny.js")], calls))
    [ours] = translate(model, [text], max_len=2)
    assert_same(found, ours)
    assert found["words"] == ["<unk>", "<unk>"]
    assert {"<", "img", "один", "二"} < set(found["unknown"])
    assert "".join(found["sourceWords"]) == text.replace(" ", "")


# What goes wrong.

BAD = {
    "": "no word",
    " \n\xa0": "no word",
    "one " * (MAX_WORDS + 1): f"{MAX_WORDS + 1} words; the longest taken has {MAX_WORDS}",
}


def test_bad_input_is_named(tiny):
    calls = [["tiny", method, text] for text in BAD for method in ("translate", "steps")]
    options = [{"beam": 0}, {"beam": 1.5}, {"beam": "2"}, {"maxLen": 0}, {"maxLen": -1}]
    calls += [["tiny", "translate", "one", option] for option in options]
    found = [answer["error"] for answer in ask([tiny], calls)]
    expected = [message for message in BAD.values() for _ in range(2)]
    expected += [f"{name} must be .* at least 1" for option in options for name in option]
    for message, pattern in zip(found, expected, strict=True):
        assert re.search(pattern, message), message


def test_the_longest_sentence_is_translated(tiny):
    [found] = values(ask([tiny], [["tiny", "translate", "one " * MAX_WORDS, {"maxLen": 3}]]))
    assert len(found["weights"][0]) == len(found["sourceWords"]) == MAX_WORDS


def test_no_damage_goes_unnoticed(tiny):
    """Of copies with one character changed or cut off somewhere, none gives another translation."""
    text = tiny.read_text(encoding="utf-8")
    places = drawn(st.tuples(st.integers(0, len(text) - 1), st.sampled_from("a0Z\n ")), 60)
    places += [(text.index(part) + 1, "q") for part in ("checksum", '"un"', "weights", "token")]
    damaged = [text[:i] + letter + text[i + 1 :] for i, letter in places]
    damaged += [text[:i] for i, _ in places]
    # All in one process, under names of their own.
    copies = [tiny.with_name(f"copy{i}.js") for i in range(len(damaged))]
    for copy, content in zip(copies, damaged, strict=True):
        copy.write_text(content.replace('["tiny"]', f'["{copy.stem}"]'), encoding="utf-8")
    names = ["tiny", *(copy.stem for copy in copies)]
    good, *found = ask([tiny, *copies], [[name, "translate", NUMBERS[-1]] for name in names])
    for answer, content in zip(found, damaged, strict=True):
        said = answer.get("error", "")
        assert "damaged" in said or "are not there" in said or answer == good, content[:200]
    said = [answer.get("error", "") for answer in found]
    assert sum("are damaged" in message for message in said) >= 10
    assert sum("are not there" in message for message in said) >= 10


def test_two_models_live_on_one_page(tiny, tmp_path):
    other = exported(small_model(scale=5.0, seed=1), tmp_path / "other.js")
    calls = [[name, "translate", NUMBERS[-1]] for name in ("tiny", "other", "tiny", "none")]
    first, second, again, none = ask([tiny, other], calls)
    assert first == again != second
    assert '"none" are not there' in none["error"]


def test_only_models_that_the_browser_can_run_are_exported(tmp_path):
    with pytest.raises(ValueError, match=r"long-conv is 'conv'.* 'rnn-attention' alone"):
        export("mini-fra-long-conv", tmp_path / "out.js")
    with pytest.raises(ValueError, match=r"'int4'; known: int8, float16, float32"):
        export("mini-fra-long-rnn-attention", tmp_path / "out.js", "int4")
    with pytest.raises(ValueError, match=r"must end in \.js, not 'out'"):
        export("mini-fra-long-rnn-attention", tmp_path / "out")
    with pytest.raises(OSError, match=r"none.out\.js"):
        export("mini-fra-long-rnn-attention", tmp_path / "none" / "out.js")
    assert not list(tmp_path.iterdir())


def test_a_weight_that_float16_cannot_hold_is_named(tmp_path):
    model = small_model(vocabs=(Vocab(["a"]), VOCABS[1]))
    model.encoder.embedding.weight.data[0, 0] = 1e5
    save_run(tmp_path / "run", model)
    with pytest.raises(ValueError, match=r"encoder\.embedding\.weight .* float16 .* float32"):
        export(tmp_path / "run", tmp_path / "out.js", "float16")
