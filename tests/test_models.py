"""Models by name: every choice builds, wrong ones are named, a config builds the model again."""

import math

import pytest
import torch
from small import SIZES, SMALL

from d2l_lite import build_model
from d2l_lite.models import BUILDERS, DEFAULTS, recipe
from d2l_lite.rnn import ATTENTIONS, CONTEXTS, QUERIES

V = range(12)
CHOICES = [
    *[("rnn", {"context": context}) for context in CONTEXTS],
    *[("rnn-attention", {"attention": attention}) for attention in ATTENTIONS],
    *[("rnn-attention", {"query": query}) for query in QUERIES],
    *[
        (name, {"tied": False, "bidirectional": False, "num_layers": 2})
        for name in ("rnn", "rnn-attention")
    ],
    ("conv", {"kernel_size": 5, "num_layers": 1, "dropout": 0.5}),
    ("transformer", {"num_heads": 4, "num_layers": 1, "dropout": 0.5}),
]


@pytest.mark.parametrize(("name", "sizes"), CHOICES)
def test_every_choice_builds_and_its_config_builds_it_again(random_batch, name, sizes):
    torch.manual_seed(1)
    sizes = {**SMALL[name], **sizes}
    model = build_model(name, V, range(15), **sizes)
    assert model.config == {"model": name, **DEFAULTS[name], **sizes}
    config = dict(model.config)
    torch.manual_seed(1)
    again = build_model(config.pop("model"), V, range(15), **config)
    batch = random_batch([3, 1], [2, 4])
    assert model.eval().loss(batch) == again.eval().loss(batch)
    logits, _ = model(batch.src, batch.tgt, batch.src_len)
    assert logits.shape == (2, 6, 15)


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults_make_a_model_that_starts_near_ln_v(random_batch, name):
    """Knowing nothing, it gives each of V words about 1 / V."""
    size = 2000
    model = build_model(name, range(size), range(size)).eval()
    with torch.no_grad():
        loss, words = model.loss(random_batch([7, 5, 3], [6, 4, 9], vocab_size=size))
    assert abs(loss / words - math.log(size)) < 0.1


def test_vocabularies_stay_with_the_model():
    model = build_model("rnn", V, range(15), **SIZES)
    assert (model.src_vocab, model.tgt_vocab) == (V, range(15))


def test_defaults_cannot_be_changed_through_a_model():
    model = build_model("rnn", V, V, **SIZES)
    model.config["hidden_size"] = 1
    assert DEFAULTS["rnn"]["hidden_size"] != 1


def test_an_unknown_model_is_named_beside_the_known():
    with pytest.raises(ValueError, match=r"'gru'.* rnn, rnn-attention, conv, transformer"):
        build_model("gru", V, V)


@pytest.mark.parametrize(
    ("name", "sizes", "named"),
    [
        ("rnn", {"width": 3}, "'width'.* embed_size, hidden_size"),
        ("rnn", {"attention": "dot"}, "rnn has no 'attention'"),
        ("rnn-attention", {"context": "last"}, "rnn-attention has no 'context'"),
        ("rnn", {"context": "first"}, "'first'.* start, last, mean"),
        ("rnn-attention", {"query": "during"}, "'during'.* before, after"),
        ("rnn-attention", {"attention": "cosine"}, "'cosine'.* additive, bilinear, dot"),
        ("rnn-attention", {"attention": None}, "None.* additive, bilinear, dot"),
        ("rnn", {"hidden_size": 7}, "hidden size of 7"),
        ("rnn", {"hidden_size": 0}, "hidden_size .* 0"),
        ("rnn", {"embed_size": -2}, "embed_size .* -2"),
        ("rnn", {"num_layers": 1.5}, "num_layers .* 1.5"),
        ("rnn", {"embed_size": "big"}, "embed_size .* 'big'"),
        ("rnn", {"hidden_size": True}, "hidden_size .* True"),
        ("conv", {"width": 8}, "conv has no 'width'; .* embed_size, hidden_size, num_layers, ker"),
        ("conv", {"tied": True}, "conv has no 'tied'"),
        ("conv", {"kernel_size": 4}, "kernel_size must be odd, not 4"),
        ("conv", {"kernel_size": 0}, "kernel_size .* 0"),
        ("conv", {"kernel_size": -1}, "kernel_size .* -1"),
        ("conv", {"num_layers": 0}, "num_layers .* 0"),
        ("transformer", {"hidden_size": 8}, "transformer has no 'hidden_size'; it has width, num"),
        ("transformer", {"num_heads": 3, "width": 8}, "3 heads .* 8"),
        ("transformer", {"num_heads": 0}, "num_heads .* 0"),
        ("transformer", {"width": 0}, "width .* 0"),
        ("transformer", {"feed_forward_size": 2.5}, "feed_forward_size .* 2.5"),
        ("transformer", {"num_layers": "two"}, "num_layers .* 'two'"),
        ("transformer", {"dropout": 1}, "dropout .* 1"),
        ("rnn", {"dropout": 1.0}, "dropout .* 1.0"),
        ("rnn", {"dropout": -0.1}, "dropout .* -0.1"),
        ("rnn", {"dropout": math.nan}, "dropout .* nan"),
        ("rnn", {"dropout": "some"}, "dropout .* 'some'"),
    ],
)
def test_a_wrong_choice_is_named(name, sizes, named):
    with pytest.raises(ValueError, match=named):
        build_model(name, V, V, **sizes)


def test_every_model_has_defaults_a_builder_and_a_recipe():
    assert list(DEFAULTS) == list(BUILDERS) == list(SMALL)
    for name in DEFAULTS:
        numbers = recipe(name)
        assert set(numbers) == {"epochs", "lr", "batch_size"}
        assert min(numbers.values()) > 0
        numbers["epochs"] = 0  # the reader's own copy
        assert recipe(name)["epochs"] > 0
    with pytest.raises(ValueError, match=r"'gru'.* rnn, rnn-attention, conv, transformer"):
        recipe("gru")
