"""The interactive figures: blanks, widgets, bad input, and JavaScript beside torch."""

import math
import random
import re
from functools import cache
from unittest.mock import patch
from xml.etree import ElementTree

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from node import run_node

import d2l_lite as d2l
from d2l_lite import figures
from d2l_lite.figures.beam_search import search_tree
from d2l_lite.figures.figure import WIDGET, Control, Figure, asset, fill

LOOKS = [[[0.25, 0.75], [0.9, 0.1], [0.5, 0.5]], [[1, 0], [0, 1], [0.2, 0.8]]]  # two of (3, 2)
WORDS = (["the", "cat"], ["le", "chat", "<eos>"])
EPOCHS = [
    {"epoch": 0, "train_loss": None, "valid_loss": 10.0},
    {"epoch": 1, "train_loss": 1.0, "valid_loss": 0.1},
]


def cross_attention(gold=((0, 0), (1, 0), (1, 1))):
    return figures.cross_attention({"a": torch.tensor(LOOKS[0]), "b": LOOKS[1]}, *WORDS, gold)


def training(history=EPOCHS, looks=LOOKS):
    return figures.training(history, looks, *WORDS, ["chat chat", "le chat"])


SAYS = d2l.tokenize("the dog sees the cat .")


@cache
def chatty(seed=0):
    """A small model that has learned nothing, and is unsure of every word."""
    torch.manual_seed(seed)
    vocab = d2l.Vocab.build([SAYS])
    return d2l.build_model("rnn-attention", vocab, vocab, embed_size=8, hidden_size=8).eval()


def beam_search(beam=3, max_len=5):
    return figures.beam_search(chatty(), "The dog sees the cat.", beam, max_len)


def heads(weights=LOOKS, blocks=2, word=1):
    return figures.heads(weights, *WORDS, blocks, word)


FIGURES = {
    "beam_search": beam_search,
    "heads": lambda: heads([*LOOKS, *LOOKS[::-1]]),  # two blocks of two
    "receptive_field": figures.receptive_field,
    "cross_attention": cross_attention,
    "training": training,
    "masked_softmax": figures.masked_softmax,
    "queries": figures.queries,
}
each = pytest.mark.parametrize("name", FIGURES)
SIZED = Control("size", "size", 2, 0, 5, 1)


def tiny(**changed):
    """A figure with one blank of each kind."""
    given = {
        "name": "masked_softmax",
        "alt": "A line.",
        "controls": (
            SIZED,
            Control("on", "on", True),
            Control("of", "of", "a", options=("a", "b")),
        ),
        "svg": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">'
        '<rect data-set-y="{size*-2+10}"/><text data-set-text="{size:1} {of}"/></svg>',
        "says": "{size:0} of {of}",
        "compute": dict,
    }
    return Figure(**given | changed)


def random_values(figure, draw):
    """Values that the controls can have."""
    values = {}
    for control in figure.controls:
        if control.options:
            values[control.name] = draw.choice(control.options)
        elif isinstance(control.value, bool):
            values[control.name] = draw.random() < 0.5
        else:
            steps = round((control.high - control.low) / control.step)
            values[control.name] = control.low + draw.randint(0, steps) * control.step
    return values


def test_blanks_are_filled_by_hand():
    """With size 2: y = 2 · (-2) + 10 = 6."""
    root = ElementTree.fromstring(tiny().picture())
    rect, text = root
    assert (rect.get("y"), text.text) == ("6.00", "2.0 a")
    assert tiny().sentence(size=3, of="b") == "3 of b"
    assert fill("{x} and {x:0}", {"x": 0.126}) == "0.13 and 0"


@given(st.floats(-1e3, 1e3), st.integers(-99, 99), st.integers(-99, 99))
def test_a_blank_is_a_straight_line(x, factor, shift):
    filled = float(fill(f"{{x*{factor}+{shift}:9}}", {"x": x}))
    assert filled == pytest.approx(factor * x + shift, abs=1e-6)


@each
def test_the_picture_is_whole_and_has_no_blank_left(name):
    figure = FIGURES[name]()
    root = ElementTree.fromstring(figure.picture())
    for element in root.iter():
        drawn = {k: v for k, v in element.attrib.items() if not k.startswith("data-")}
        assert "{" not in "".join([*drawn.values(), element.text or ""])
    assert "{" not in figure.sentence()


@each
def test_javascript_computes_what_torch_does(name):
    """Every number and word, for forty random settings of the controls."""
    figure, draw = FIGURES[name](), random.Random(0)
    settings = [figure.values(), *(random_values(figure, draw) for _ in range(40))]
    body = (
        f"(input) => {{ const compute = {asset(name + '.js')};\n"
        "return input.settings.map((values) => compute(values, input.data)); }"
    )
    found = run_node(body, {"settings": settings, "data": figure.data})
    for values, page in zip(settings, found, strict=True):
        torch_says = figure.compute(values)
        assert page.keys() == torch_says.keys()
        for key, value in torch_says.items():
            wanted = value if isinstance(value, str) else pytest.approx(value, abs=1e-5)
            assert page[key] == wanted, (key, values)


@each
def test_a_page_asks_for_nothing_and_two_copies_share_nothing(name):
    html = FIGURES[name]().html()
    assert not re.search(
        r"""\b(?:src|href)=|url\(|@import|https?://(?!www\.w3\.org/2000/svg)""", html
    )
    assert not re.search(r"\sid=", html)


def test_markup_in_words_is_text():
    html = figures.masked_softmax((1.0, 0.0), ("<b>", "</script>"), 2).html()
    assert "<b>" not in html and html.count("</script>") == 1 and "&lt;b&gt;" in html


@each
def test_the_widget_computes_anew(name):
    figure = FIGURES[name]()
    box = figure.widget()
    picture, *controls, says = box.children
    before = picture.value, says.value
    slider = controls[0]
    slider.value = slider.min if slider.value != slider.min else slider.max
    assert (picture.value, says.value) != before
    assert figure.picture(**{figure.controls[0].name: slider.value}) in picture.value


def test_a_notebook_gets_a_widget_a_page_and_a_picture():
    lasting, widget = figures.masked_softmax().forms()
    assert {"text/html", "image/svg+xml", "text/plain"} == set(lasting)
    assert {WIDGET} == set(widget)
    text = repr(figures.masked_softmax())
    assert lasting["text/plain"] == text
    assert "rows of bars" in text and "Largest weight: 0.64, on le." in text


def test_without_ipywidgets_a_notebook_gets_the_page():
    figure = figures.masked_softmax()
    with patch.dict("sys.modules", {"ipywidgets": None}):
        [lasting] = figure.forms()
    assert lasting["text/html"] == figure.html()


def test_a_cell_displays_all_forms():
    with patch("IPython.display.display") as display:
        figures.masked_softmax()._ipython_display_()
    assert [sorted(call.args[0])[-1] for call in display.call_args_list] == ["text/plain", WIDGET]


def test_the_masked_softmax_by_hand():
    """Scores ln 3 and 0: weights 3/4 and 1/4; with one word hidden 1 and 0; with both 0 and 0."""
    figure = figures.masked_softmax((torch.tensor(3.0).log().item(), 0.0), ("a", "b"), 2)
    for valid, weights in ((2, (0.75, 0.25)), (1, (1.0, 0.0)), (0, (0.0, 0.0))):
        found = figure.compute(figure.values(valid=valid))
        assert (found["w0"], found["w1"]) == pytest.approx(weights)


def test_without_tanh_the_query_stands_still_by_hand():
    """v = (2, 1), so the keys score 1, 2, -1, -2, as with a dot product at (2, 1), plus v · q."""
    chance = torch.get_rng_state()
    figure = figures.queries((0.0, 0.0), ("additive", "dot"))
    assert torch.equal(torch.get_rng_state(), chance)
    powers = torch.tensor([1.0, 2.0, -1.0, -2.0]).exp()
    still = pytest.approx((powers / powers.sum()).tolist())
    for qx, qy in ((0, 0), (2, 1), (-3, 2.5)):
        found = figure.compute(figure.values(qx=qx, qy=qy, tanh=False))
        assert [found[f"b{i}"] for i in range(4)] == still
        wanted = (2 * qx + qy + score for score in (1, 2, -1, -2))
        assert [found[f"a0{i}"] for i in range(4)] == pytest.approx(list(wanted))
    found = figure.compute(figure.values(qx=2, qy=1, function="dot"))
    assert [found[f"b{i}"] for i in range(4)] == still
    assert (found["cx"], found["cy"]) == pytest.approx((2.35, 2.83), abs=5e-3)
    found = figure.compute(figure.values())  # at (0, 0), with the tanh
    assert found["a01"] == pytest.approx(2 * math.tanh(1))


def test_the_cross_attention_by_hand():
    """The first word has both gold links, the second one of them, the third none."""
    figure = cross_attention()
    for step, decoder, best, mass in ((1, "a", "cat", 1), (2, "a", "the", 0.1), (3, "b", "cat", 0)):
        found = figure.compute(figure.values(step=step, decoder=decoder))
        assert (found["best"], found["mass"]) == (best, pytest.approx(mass))
    found = figure.compute(figure.values(step=2))
    # Lines of 0.9 and 0.1 side by side, half a row together: centres at -0.05 and 0.45 of it.
    assert (found["end0"], found["end1"]) == pytest.approx((1 - 0.025, 1 + 0.225))
    assert (found["frame0"], found["frame1"]) == (0, 1)
    assert figure.compute(figure.values(step=2, gold=False))["frame1"] == 0
    alone = figures.cross_attention({"a": LOOKS[0]}, *WORDS)
    assert [control.name for control in alone.controls] == ["step"]
    assert alone.sentence(step=2) == "Writing “chat”: most weight, 0.90, on “the”."


def test_the_training_by_hand():
    """Losses 10, 1, 0.1 lie at the top, in the middle and at the bottom, for the scale is a log."""
    figure = training()
    before, after = (figure.compute(figure.values(epoch=epoch)) for epoch in (0, 1))
    assert (before["valid_y"], after["train_y"], after["valid_y"]) == (52, 110, 168)
    assert (before["train"], before["train_seen"], before["w0_1"]) == ("not measured", 0, 0.75)
    assert (after["w0_1"], after["writes"]) == (0, "le chat")
    assert "training loss 1.000, validation loss 0.100. It writes: le chat" in figure.sentence()


@given(st.lists(st.floats(1e-4, 1e4), min_size=2, max_size=30))
def test_a_higher_loss_is_drawn_higher(losses):
    history = [
        {"epoch": i, "train_loss": loss, "valid_loss": None} for i, loss in enumerate(losses, 1)
    ]
    figure = figures.training(history, [LOOKS[0]] * len(losses), *WORDS)
    found = [figure.compute(figure.values(epoch=i))["train_y"] for i in range(1, len(losses) + 1)]
    assert all(52 <= y <= 168 for y in found)
    by_loss = [y for _, y in sorted(zip(losses, found, strict=True), key=lambda drawn: drawn[0])]
    assert by_loss == sorted(found, reverse=True)


@given(st.integers(0, 20), st.integers(1, 4), st.integers(1, 7))
def test_the_tree_is_that_of_the_search(seed, beam, max_len):
    """What is fed to the decoder are the words that are kept, and the winner is `translate`'s."""
    model, fed = chatty(seed), []
    with patch.object(model.decoder, "step", wraps=model.decoder.step) as step:
        nodes, best = search_tree(model, "The dog sees the cat.", beam, max_len)
        fed = [call.args[0].tolist() for call in step.call_args_list]
    for step, words in enumerate(fed):
        kept = [node.words for node in nodes if (node.step, node.state) == (step, "open")]
        copies = [()] * beam if step == 0 else kept
        ends = [model.tgt_vocab.encode(words[-1:])[0] if words else d2l.BOS for words in copies]
        assert words == ends
    assert len(fed) == nodes[-1].step
    for node in nodes[1:]:
        assert nodes[node.parent].words == node.words[:-1]
        assert nodes[node.parent].state == "open" and node.total <= nodes[node.parent].total
    wanted = d2l.translate(model, ["The dog sees the cat."], beam, max_len)[0]
    winner = nodes[best]
    assert [word for word in winner.words if word != "<eos>"] == wanted.words
    assert winner.total / winner.step == pytest.approx(wanted.score, abs=1e-5)


A, B, C, D = range(4, 8)  # after the special tokens
NEXT = {d2l.BOS: {A: 0.6, B: 0.4}, A: {C: 0.5, d2l.EOS: 0.3, D: 0.2}, B: {D: 0.9, C: 0.1}}


class FewWords(d2l.IncrementalDecoder):
    """Writes the language of the table in the chapter on translating: after C and D it ends."""

    def init_state(self, enc_outputs, src_len=None):
        return ()

    def select(self, state, rows):
        return state

    def step(self, tokens, state):
        logits = torch.full((len(tokens), 8), -30.0)
        for row, word in zip(logits, tokens.tolist(), strict=True):
            for number, share in NEXT.get(word, {d2l.EOS: 1.0}).items():
                row[number] = math.log(share)
        return logits, state, None


def test_the_beam_search_by_hand():
    """Greedy ends at 0.6 · 0.5 = 0.30; with two hypotheses B lives on, and 0.4 · 0.9 = 0.36."""
    vocab = d2l.Vocab.build([["a"] * 4 + ["b"] * 3 + ["c"] * 2 + ["d"]])
    model = d2l.EncoderDecoder(chatty().encoder, FewWords(), chatty().src_vocab, vocab)
    assert "highest mean has “a c”" in figures.beam_search(model, "dog", 1).sentence(step=3)
    figure = figures.beam_search(model, "dog", 2)
    nodes = figure.data["nodes"]
    number = {node["text"]: i for i, node in reversed(list(enumerate(nodes)))}  # without <eos>
    at = [figure.compute(figure.values(step=step, score="sum")) for step in range(4) if step]
    looks = [{text: found[f"look{i}"] for text, i in number.items()} for found in at]
    assert [looks[0][text] for text in ("a", "b", "c", "a c")] == [
        "kept",
        "kept",
        "dropped",
        "later",
    ]
    assert [looks[1][text] for text in ("b d", "a c", "a d")] == ["kept", "kept", "dropped"]
    assert [looks[2][text] for text in ("b d", "a c", "a d")] == ["best", "kept", "dropped"]
    assert at[1][f"score{number['b d']}"] == round(math.log(0.36), 2)
    assert figure.compute(figure.values())[f"score{number['a c']}"] == round(math.log(0.3) / 2, 2)
    assert (at[1]["kept"], at[1]["done"]) == ("“b d”, “a c”", "none")
    assert "Finished: “b d”, “a c”. The highest mean has “b d”" in figure.sentence(step=3)


def test_the_receptive_field_by_hand():
    """Two layers of three reach one word in a single way at the ends, the middle one in three."""
    figure = figures.receptive_field(list("abcdefg"), 4, 2)
    found = figure.compute(figure.values())
    assert [found[f"ways{s}"] for s in range(7)] == ["", "1", "2", "3", "2", "1", ""]
    assert (found["seen"], found["first"], found["last"], found["room"]) == (5, "b", "f", 5)
    found = figure.compute(figure.values(padding="causal", position=3))
    assert [found[f"ways{s}"] for s in range(7)] == ["3", "2", "1", "", "", "", ""]
    assert "sees 3 words, “a” to “c”" in figure.sentence(padding="causal", position=3)


@given(st.integers(1, 9), st.integers(1, 3), st.sampled_from((3, 5, 7)), st.booleans())
def test_the_receptive_field_is_that_of_gated_convolutions(position, layers, kernel, causal):
    values = {"position": position, "layers": layers, "kernel": kernel}
    padding = "causal" if causal else "centred"
    found = figures.receptive_field(list("abcdefghi"), padding=padding, **values)
    found = found.compute(found.values())
    x = rows = torch.randn(1, 9, 8, requires_grad=True)
    before = kernel - 1 if causal else kernel // 2
    for _ in range(layers):
        padded = torch.nn.functional.pad(rows, (0, 0, before, kernel - 1 - before))
        rows = d2l.GatedConvolution(8, kernel)(padded)
    (gradient,) = torch.autograd.grad(rows[0, position - 1].sum(), x)
    reached = gradient[0].norm(dim=-1) > 0
    assert [found[f"ways{s}"] != "" for s in range(9)] == reached.tolist()


def test_the_heads_by_hand():
    """Head 1 of block 2 is the second of the two."""
    figure = heads()
    found = figure.compute(figure.values(block=2, word=3))
    assert (found["name"], found["asks"], found["best"], found["top"]) == (
        "2.1",
        "<eos>",
        "cat",
        0.8,
    )
    assert (found["row0"], found["row1"], found["w1_1"]) == (0.2, 0.8, 1)
    assert figure.sentence(word=2) == "Head 1.1, at “chat”: most weight, 0.90, on “the”."
    alone = heads(blocks=1)
    assert [control.name for control in alone.controls] == ["head", "word"]
    assert alone.compute(alone.values(head=2))["best"] == "the"


def test_bad_input_is_told():
    with pytest.raises(KeyError, match="no control 'sise'; it has size, on, of"):
        tiny().values(sise=3)
    with pytest.raises(ValueError, match="2 for 3"):
        figures.masked_softmax((1.0, 2.0), ("a", "b", "c"), 1)
    with pytest.raises(ValueError, match="within ±4, not -9"):
        figures.masked_softmax((1.0, -9.0), ("a", "b"), 1)
    with pytest.raises(ValueError, match="valid must be within 0 and 2, not 3"):
        figures.masked_softmax((1.0, 2.0), ("a", "b"), 3)
    with pytest.raises(ValueError, match=r"two numbers within ±3, not \(4, 0\)"):
        figures.queries((4, 0))
    with pytest.raises(ValueError, match=r"must be some of .*, not \('cosine',\)"):
        figures.queries(functions=("cosine",))
    with pytest.raises(ValueError, match=r"shape \(3, 2\) for 2 target and 2 source words"):
        figures.cross_attention({"a": LOOKS[0]}, WORDS[0], WORDS[0])
    with pytest.raises(ValueError, match="between 0 and 1; found nan"):
        figures.cross_attention({"a": [[math.nan]]}, ["a"], ["b"])
    with pytest.raises(ValueError, match=r"link \(2, 0\) for 2 source"):
        cross_attention([(2, 0)])
    with pytest.raises(ValueError, match="word must be from 1 to 3, not 4"):
        figures.cross_attention({"a": LOOKS[0]}, *WORDS, word=4)
    with pytest.raises(ValueError, match="1 to 16 words: 17 source and 3 target"):
        figures.training(EPOCHS, LOOKS, ["the"] * 17, WORDS[1])
    with pytest.raises(ValueError, match="at least one decoder"):
        figures.cross_attention({}, *WORDS)
    with pytest.raises(ValueError, match="one heatmap an epoch: 1 for 2 epochs"):
        training(looks=LOOKS[:1])
    with pytest.raises(ValueError, match=r"follow each other, not \[1, 0\]"):
        training(EPOCHS[::-1])
    with pytest.raises(ValueError, match="positive and finite, not 0"):
        training([EPOCHS[0] | {"valid_loss": 0}, EPOCHS[1]])
    with pytest.raises(ValueError, match="beam must be within 1 and 4, not 5"):
        beam_search(beam=5)
    with pytest.raises(ValueError, match="takes 12 steps and the picture holds 10"):
        beam_search(max_len=12)
    with pytest.raises(ValueError, match="max_len must be at least 1, not 0"):
        beam_search(max_len=0)
    with pytest.raises(ValueError, match="kernel size must be one of 3, 5, 7: 4"):
        figures.receptive_field(kernel=4)
    with pytest.raises(ValueError, match="position must be one of 1, 2: 3"):
        figures.receptive_field(["a", "b"], 3)
    with pytest.raises(ValueError, match="2 heads cannot be shared among 3 blocks"):
        heads(blocks=3)
    with pytest.raises(ValueError, match="word must be from 1 to 3, not 0"):
        heads(word=0)
