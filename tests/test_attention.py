"""Masks, the masked softmax, and the four attention layers."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from d2l_lite import (
    AdditiveAttention,
    Attention,
    BilinearAttention,
    DotAttention,
    ScaledDotAttention,
    attention,
    causal_mask,
    length_mask,
    masked_softmax,
)

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
INF = math.inf
NAN = math.nan
# Each layer for queries of size 4 and keys of size 4; the last two also take other sizes.
LAYERS = {
    "dot": lambda dropout=0.0: DotAttention(dropout),
    "scaled-dot": lambda dropout=0.0: ScaledDotAttention(dropout),
    "bilinear": lambda dropout=0.0: BilinearAttention(4, 4, dropout),
    "additive": lambda dropout=0.0: AdditiveAttention(4, 4, 5, dropout),
}
each_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)

sizes = st.integers(1, 5)
seeds = st.integers(0, 2**31)


def vectors(*shape):
    """Query (B, T, 4), key (B, S, 4) and value (B, S, 3)."""
    batch, queries, keys = shape
    return torch.randn(batch, queries, 4), torch.randn(batch, keys, 4), torch.randn(batch, keys, 3)


# Masks


def test_length_mask_by_hand():
    """Of four keys the first sentence has 1, the second 4; per query: 0 and 2, 3 and 4."""
    x, o = True, False
    assert length_mask(torch.tensor([1, 4]), 4).tolist() == [[[x, o, o, o]], [[x, x, x, x]]]
    per_query = length_mask(torch.tensor([[0, 2], [3, 4]]), 4)
    assert per_query.tolist() == [[[o, o, o, o], [x, x, o, o]], [[x, x, x, o], [x, x, x, x]]]


def test_causal_mask_by_hand():
    assert causal_mask(3).int().tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert causal_mask(3).dtype == torch.bool
    assert causal_mask(3, first=2).int().tolist() == [[1, 1, 1]]


@pytest.mark.parametrize(
    "dtype", [torch.int64, torch.int32, torch.uint8, torch.float16, torch.bfloat16, torch.float32]
)
def test_lengths_of_any_type(dtype):
    """200 fits into every type, 300 does not fit into uint8."""
    mask = length_mask(torch.tensor([200, 3], dtype=dtype), 300)
    assert mask.sum(dim=-1).flatten().tolist() == [200, 3]


@pytest.mark.parametrize(
    ("lengths", "named"),
    [([2, -1], "-1"), ([2, 7], "7 in a row of 4"), ([2.5, 1.0], "2.5"), ([1.0, NAN], "nan")],
)
def test_a_wrong_length_is_named(lengths, named):
    with pytest.raises(ValueError, match=named):
        length_mask(torch.tensor(lengths), 4)
    with pytest.raises(ValueError, match=named):
        masked_softmax(torch.zeros(2, 1, 4), torch.tensor(lengths))


# The masked softmax


def test_masked_softmax_by_hand():
    """e^0, e^ln2, e^ln3 are 1, 2, 3 and add up to 6; the fourth is hidden, however large."""
    scores = torch.tensor([[[0, math.log(2), math.log(3), 100]]])
    weights = masked_softmax(scores, torch.tensor([3]))
    assert_close(weights, torch.tensor([[[1 / 6, 2 / 6, 3 / 6, 0]]]))


@given(seed=seeds, shape=st.tuples(sizes, sizes, sizes), dtype=st.sampled_from(DTYPES))
def test_masked_softmax_is_softmax_over_what_is_visible(seed, shape, dtype):
    """Row by row against torch.softmax; scores up to some 1000, which is much in float16."""
    torch.manual_seed(seed)
    scores, mask = (torch.randn(shape) * 300).to(dtype), torch.rand(shape) < 0.5
    before = scores.clone()
    weights = masked_softmax(scores, mask)
    assert torch.equal(scores, before)
    assert weights.dtype == dtype
    for row, visible, score in zip(
        weights.flatten(0, 1), mask.flatten(0, 1), scores.flatten(0, 1), strict=True
    ):
        assert (row[~visible] == 0).all()
        assert_close(row[visible], score[visible].softmax(0))


@pytest.mark.parametrize("dtype", DTYPES)
def test_extreme_scores_stay_out_of_each_others_way(dtype):
    """The lowest and the highest finite scores, visible beside hidden ones."""
    low, high = torch.finfo(dtype).min, torch.finfo(dtype).max
    scores = torch.tensor([[[low, low, high, high], [high, low, high, 0]]], dtype=dtype)
    weights = masked_softmax(scores, torch.tensor([2]))
    assert weights.tolist() == [[[0.5, 0.5, 0, 0], [1, 0, 0, 0]]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("garbage", [0.0, 1e4, -INF, INF, NAN])
def test_an_empty_row_is_all_zeros_with_zero_gradient(dtype, garbage):
    scores = torch.tensor([[[1.0, 2, garbage]], [[garbage] * 3]], dtype=dtype, requires_grad=True)
    # Finite on the way, too: anomaly detection stops at a NaN between the layers.
    with torch.autograd.set_detect_anomaly(True):
        weights = masked_softmax(scores, torch.tensor([2, 0]))
        (weights * torch.randn_like(weights)).sum().backward()
    assert (weights[1] == 0).all()
    assert scores.grad.isfinite().all()
    assert (scores.grad[1] == 0).all() and scores.grad[0, 0, 2] == 0


def test_nothing_hidden_is_plain_softmax():
    scores = torch.randn(2, 3, 4)
    everything = torch.ones(2, 3, 4, dtype=torch.bool)
    for valid in (None, everything, everything[:1, :1], torch.tensor([4, 4])):
        assert_close(masked_softmax(scores, valid), scores.softmax(-1), rtol=0, atol=0)


def test_all_ways_to_say_the_same_mask_agree():
    scores = torch.randn(2, 3, 4)
    mask = length_mask(torch.tensor([1, 3]), 4)
    expected = masked_softmax(scores, mask)
    per_query = torch.tensor([[1, 1, 1], [3, 3, 3]])
    for valid in (torch.tensor([1, 3]), torch.tensor([1.0, 3.0]), per_query, mask.expand(2, 3, 4)):
        assert torch.equal(masked_softmax(scores, valid), expected)


@given(seed=seeds, far=sizes, others=sizes)
def test_masked_softmax_is_the_same_in_any_company(seed, far, others):
    torch.manual_seed(seed)
    alone = torch.randn(1, 2, 3)
    crowd = torch.randn(1 + others, 2, 3 + far) * 50
    crowd[:1, :, :3] = alone
    lengths = torch.cat((torch.tensor([3]), torch.randint(0, 4 + far, (others,))))
    assert_close(masked_softmax(crowd, lengths)[:1, :, :3], alone.softmax(-1))


@pytest.mark.parametrize(
    ("valid", "scores"),
    [
        (torch.tensor([1, 2, 2]), (2, 3, 4)),
        (torch.tensor([1]), (2, 3, 4)),
        (torch.tensor([[1, 2]] * 2), (2, 3, 4)),
        (torch.tensor([1, 2]), (2, 2, 3, 4)),
        (torch.tensor(2), (2, 3, 4)),
        (torch.ones(2, 3, 5, dtype=torch.bool), (2, 3, 4)),
        (torch.ones(5, 3, 4, dtype=torch.bool), (1, 3, 4)),
        (torch.ones(1, 2, 3, 4, dtype=torch.bool), (2, 3, 4)),
        (torch.ones(2, 3, 4, dtype=torch.long), (2, 3, 4)),
    ],
    ids=lambda shape: str(tuple(getattr(shape, "shape", shape))),
)
def test_shapes_that_do_not_fit_are_named(valid, scores):
    """Lengths for scores with heads, too: they would be taken for one length a head."""
    named = str(tuple(valid.shape)).replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ValueError, match=named):
        masked_softmax(torch.zeros(scores), valid)


# The layers


def test_dot_products_by_hand():
    """q = (1, 2): with (3, 4) it gives 3 + 8 = 11, with (0, -1) it gives -2; scaled by √2."""
    query, key = torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[3.0, 4.0], [0.0, -1.0]]])
    assert DotAttention().score(query, key).tolist() == [[[11, -2]]]
    scaled = ScaledDotAttention().score(query, key)
    assert_close(scaled, torch.tensor([[[11 / math.sqrt(2), -2 / math.sqrt(2)]]]))


def test_bilinear_score_by_hand():
    """q = (1, 2), k = (1, 0, 3), W = [[1, 0, 1], [0, 5, 2]]: W k = (4, 6), q · W k = 16."""
    layer = BilinearAttention(query_size=2, key_size=3)
    with torch.no_grad():
        layer.W.weight.copy_(torch.tensor([[1.0, 0, 1], [0, 5, 2]]))
    key = torch.tensor([[[1.0, 0, 3]]])
    assert layer.score(torch.tensor([[[1.0, 2]]]), layer.project_keys(key)).tolist() == [[[16]]]


def test_additive_score_by_hand():
    """W_q = 1, W_k = (2, 0), v = 3, q = 0.5, k = (0.25, 9): 3 tanh(0.5 + 0.5) = 3 tanh 1."""
    layer = AdditiveAttention(query_size=1, key_size=2, hidden_size=1)
    with torch.no_grad():
        layer.W_q.weight.fill_(1)
        layer.W_k.weight.copy_(torch.tensor([[2.0, 0.0]]))
        layer.v.weight.fill_(3)
    score = layer.score(torch.tensor([[[0.5]]]), layer.project_keys(torch.tensor([[[0.25, 9.0]]])))
    assert_close(score, torch.tensor([[[3 * math.tanh(1)]]]))


@pytest.mark.parametrize("make", [LAYERS["dot"], lambda: AdditiveAttention(2, 2, 8)])
def test_the_source_texts_example(make):
    """Equal keys share the weight: the mean of values 0-1 is 2, 3, 4, 5, of 0-5 is 10 … 13."""
    value = torch.arange(40.0).reshape(1, 10, 4).repeat(2, 1, 1)
    context, _ = make()(torch.ones(2, 1, 2), torch.ones(2, 10, 2), value, torch.tensor([2, 6]))
    assert_close(context, torch.tensor([[[2.0, 3, 4, 5]], [[10.0, 11, 12, 13]]]))


@given(seed=seeds, shape=st.tuples(sizes, sizes, sizes))
def test_scaled_dot_is_pytorchs_forward_and_backward(seed, shape):
    torch.manual_seed(seed)
    ours = [tensor.requires_grad_() for tensor in vectors(*shape)]
    theirs = [tensor.detach().clone().requires_grad_() for tensor in ours]
    mask = length_mask(torch.randint(1, shape[2] + 1, shape[:2]), shape[2])
    context, _ = ScaledDotAttention()(*ours, mask)
    expected = F.scaled_dot_product_attention(*theirs, attn_mask=mask)
    assert_close(context, expected)
    wish = torch.randn_like(expected)
    context.backward(wish)
    expected.backward(wish)
    for mine, other in zip(ours, theirs, strict=True):
        assert_close(mine.grad, other.grad)


@each_layer
@given(seed=seeds, far=sizes, others=sizes, length=sizes)
def test_results_do_not_depend_on_the_batch_or_the_padding(make, seed, far, others, length):
    torch.manual_seed(seed)
    layer = make()
    alone = vectors(1, 2, length)
    context, weights = layer(*alone)
    crowd = vectors(1 + others, 2, length + far)
    for single, many in zip(alone, crowd, strict=True):
        many *= 100
        many[:1, : single.shape[1]] = single
    lengths = torch.cat((torch.tensor([length]), torch.randint(0, length + far, (others,))))
    context_there, weights_there = layer(*crowd, lengths)
    assert_close(context_there[:1], context)
    assert_close(weights_there[:1, :, :length], weights)
    assert (weights_there[0, :, length:] == 0).all()


@each_layer
@given(seed=seeds, keys=sizes)
def test_keys_have_no_order(make, seed, keys):
    torch.manual_seed(seed)
    layer, (query, key, value), order = make(), vectors(2, 3, keys), torch.randperm(keys)
    context, weights = layer(query, key, value)
    context_shuffled, weights_shuffled = layer(query, key[:, order], value[:, order])
    assert_close(context_shuffled, context)
    assert_close(weights_shuffled, weights[:, :, order])


@each_layer
def test_nothing_to_attend_to_gives_zeros_and_finite_gradients(make):
    layer, inputs = make(), [tensor.requires_grad_() for tensor in vectors(2, 3, 4)]
    context, weights = layer(*inputs, torch.tensor([0, 2]))
    assert (weights[0] == 0).all() and (context[0] == 0).all()
    context.sum().backward()
    gradients = [tensor.grad for tensor in (*inputs, *layer.parameters())]
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert all((tensor.grad[0] == 0).all() for tensor in inputs)


@each_layer
@pytest.mark.parametrize("dtype", DTYPES)
def test_layers_work_in_every_type(make, dtype):
    inputs = vectors(2, 3, 4)
    layer = make().to(dtype)
    context, weights = layer(*(tensor.to(dtype) for tensor in inputs), torch.tensor([1, 4]))
    assert context.dtype == weights.dtype == dtype
    expected, _ = layer.float()(*inputs, torch.tensor([1, 4]))
    assert_close(context.float(), expected, rtol=0.05, atol=0.05)


@each_layer
def test_weights_come_before_dropout(make):
    """With values (1, 0, …), (0, 1, …), … the context is the weights after dropout 0.5."""
    layer, (query, key, _) = make(dropout=0.5), vectors(2, 3, 8)
    value = torch.eye(8).expand(2, 8, 8)
    dropped, weights = layer(query, key, value)
    assert_close(weights.sum(-1), torch.ones(2, 3))
    gone = dropped == 0
    assert gone.any() and not gone.all()
    assert_close(dropped[~gone], 2 * weights[~gone])
    context, weights_later = layer.eval()(query, key, value)
    assert_close(weights_later, weights)
    assert_close(context, weights)


@each_layer
def test_keys_projected_once_give_the_same(make):
    layer, (query, key, value), lengths = make(), vectors(2, 3, 4), torch.tensor([4, 2])
    projected = layer.project_keys(key)
    context, weights = layer(query, key, value, lengths)
    for t in range(3):
        step = layer.attend(query[:, t : t + 1], projected, value, lengths)
        assert_close(step, (context[:, t : t + 1], weights[:, t : t + 1]))
    assert_close(masked_softmax(layer.score(query, projected), lengths), weights)


@pytest.mark.parametrize("layer", [AdditiveAttention(6, 4, 5), BilinearAttention(6, 4)])
def test_queries_and_keys_of_different_sizes(layer):
    _, key, value = vectors(2, 3, 7)
    context, weights = layer(torch.randn(2, 3, 6), key, value)
    assert context.shape == (2, 3, 3) and weights.shape == (2, 3, 7)


class WithoutTanh(AdditiveAttention):
    def score(self, query, projected_key):
        return self.v(self.W_q(query).unsqueeze(2) + projected_key.unsqueeze(1)).squeeze(-1)


def test_the_tanh_lets_the_query_matter():
    """Without it the query adds one number to a whole row of scores, and softmax cancels it."""
    layer, (query, key, value) = AdditiveAttention(4, 4, 5), vectors(1, 6, 7)
    without = WithoutTanh(4, 4, 5)
    without.load_state_dict(layer.state_dict())
    spread = [model(5 * query, key, value)[1].std(dim=1).max() for model in (layer, without)]
    assert spread[0] > 0.01
    assert spread[1] < 1e-6


@each_layer
@pytest.mark.parametrize(
    ("shapes", "named"),
    [
        (((2, 4), (2, 5, 4), (2, 5, 3)), r"query .*\(2, 4\)"),
        (((2, 3, 4), (5, 4), (2, 5, 3)), r"key .*\(5, 4\)"),
        (((2, 3, 4), (2, 5, 4), (5, 3)), r"value .*\(5, 3\)"),
        (((2, 3, 4), (2, 5, 4), (2, 6, 3)), r"\(2, 5, 4\).*\(2, 6, 3\)"),
        (((2, 3, 4), (3, 5, 4), (3, 5, 3)), r"\(2, 3, 4\).*\(3, 5, 4\)"),
        (((2, 3, 4), (2, 5, 9), (2, 5, 3)), "size.* 9|4 and 9"),
        (((2, 3, 9), (2, 5, 4), (2, 5, 3)), "size.* 9|9 and 4"),
    ],
)
def test_mismatched_shapes_are_named(make, shapes, named):
    with pytest.raises(ValueError, match=named):
        make()(*map(torch.zeros, shapes))


def test_a_layer_of_ones_own_needs_only_a_score():
    class Nearest(Attention):
        def score(self, query, projected_key):
            return -torch.cdist(query, projected_key)

    query, key, value = vectors(2, 3, 4)
    _, weights = Nearest()(query, key, value)
    assert torch.equal(weights.argmax(-1), torch.cdist(query, key).argmin(-1))
    with pytest.raises(NotImplementedError):
        Attention()(query, key, value)


# Additive attention in parts


def additive_parts(monkeypatch, at_a_time, layer, inputs, lengths):
    """Context, weights and all gradients, with at most so many numbers at a time."""
    monkeypatch.setitem(attention.AT_A_TIME, "cpu", at_a_time)
    inputs = [tensor.detach().clone().requires_grad_() for tensor in inputs]
    context, weights = layer(*inputs, lengths)
    wish = torch.arange(context[0].numel()).reshape(context[0].shape).to(context)
    leaves = [*inputs, *layer.parameters()]
    return context, weights, *torch.autograd.grad((context * wish).sum(), leaves)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("at_a_time", [1, 20, 70, 105, 139])
@given(seed=seeds, shape=st.tuples(sizes, sizes, sizes))
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_parts_or_whole_additive_attention_is_the_same(
    monkeypatch, dtype, at_a_time, seed, shape
):
    """Parts are some sentences, some queries of one sentence, or one query of one sentence."""
    torch.manual_seed(seed)
    layer, inputs = LAYERS["additive"]().to(dtype), [x.to(dtype) for x in vectors(*shape)]
    lengths = torch.randint(0, shape[2] + 1, shape[:2])
    arguments = layer, inputs, lengths
    whole = additive_parts(monkeypatch, 10**9, *arguments)
    parts = additive_parts(monkeypatch, at_a_time, *arguments)
    rough = {"rtol": 0.05, "atol": 0.05} if dtype.itemsize == 2 else {}
    assert_close(parts, whole, **rough)


@pytest.fixture
def nine_at_a_time(monkeypatch):
    """A layer, queries and keys: each query of each sentence is a part of its own."""
    monkeypatch.setitem(attention.AT_A_TIME, "cpu", 9)
    query, key = (torch.randn(2, n, 2, dtype=torch.double, requires_grad=True) for n in (3, 4))
    return AdditiveAttention(2, 2, 3).double(), query, key


def test_the_gradients_of_additive_scores_in_parts_are_right(nine_at_a_time):
    layer, *leaves = nine_at_a_time

    def score(query, key, *_):
        return layer.score(query, layer.project_keys(key))

    assert torch.autograd.gradcheck(score, (*leaves, *layer.parameters()))


def test_a_second_derivative_in_parts_is_refused(nine_at_a_time):
    layer, query, key = nine_at_a_time
    score = layer.score(query, layer.project_keys(key))
    (slope,) = torch.autograd.grad(score.square().sum(), query, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        slope.sum().backward()


class Largest(TorchDispatchMode):
    """How many numbers the largest tensor has that is made."""

    numbers = 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        made = function(*arguments, **(options or {}))
        if isinstance(made, torch.Tensor):
            storage = made.untyped_storage().nbytes() // made.element_size()
            self.numbers = max(self.numbers, storage)
        return made


@pytest.mark.parametrize(("at_a_time", "largest"), [(200, 200), (10**9, 2 * 6 * 8 * 5)])
def test_in_parts_no_tensor_is_as_large_as_all_comparisons(monkeypatch, at_a_time, largest):
    """Two sentences, six queries, eight keys, hidden size 5: 480 numbers, or five queries' 200."""
    monkeypatch.setitem(attention.AT_A_TIME, "cpu", at_a_time)
    layer, inputs = LAYERS["additive"](), [x.requires_grad_() for x in vectors(2, 6, 8)]
    with Largest() as made:
        layer(*inputs)[0].sum().backward()
    assert made.numbers == largest
