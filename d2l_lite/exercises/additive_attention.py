"""Checkers of the chapter on additive attention."""

import torch

from d2l_lite.attention import AdditiveAttention
from d2l_lite.exercises.checking import Right, WrongAnswer, check_function, check_prediction


def check_shapes(prediction: dict) -> Right:
    """Shapes in a layer (4, 6, 8) with 2 sentences, 3 queries, 5 keys, values of size 7; tuples."""
    layer = AdditiveAttention(query_size=4, key_size=6, hidden_size=8)
    query, key, value = torch.ones(2, 3, 4), torch.ones(2, 5, 6), torch.ones(2, 5, 7)
    projected = layer.W_k(key)
    truth = {
        "W_q.weight": layer.W_q.weight.shape,
        "W_k(key)": projected.shape,
        "W_k(key).unsqueeze(1)": projected.unsqueeze(1).shape,
        "features": (layer.W_q(query).unsqueeze(2) + projected.unsqueeze(1)).shape,
        "context": layer(query, key, value)[0].shape,
    }
    hints = {
        "W_q.weight": {(4, 8): "A linear layer stores its matrix as (output, input)."},
        "W_k(key)": "The projection changes the last axis alone.",
        "W_k(key).unsqueeze(1)": "The new axis stands at place 1, behind the batch.",
        "features": "A vector of H numbers for each pair of query and key.",
        "context": "Of what is the context a weighted sum, and how many of them are there?",
    }
    return check_prediction(prediction, truth, hints, praise="All five.")


def check_repairs(prediction: dict) -> Right:
    """After which repairs of v · (s + t) the weights depend on the query: True or False each."""
    torch.manual_seed(1)
    s, t, v = torch.randn(5, 1, 8), torch.randn(1, 6, 8), torch.randn(8)
    names = {"s": s, "t": t, "relu": torch.relu, "tanh": torch.tanh}
    sums = "Does some part of the score hold both s and t, and not one plus the other?"
    hints = dict.fromkeys(["s + t + 1", "s * t", "2 * s + t", "tanh(s) + tanh(t)"], sums)
    hints["relu(s + t)"] = "Is it a straight line, or does it bend?"
    weights = {name: (eval(name, names) @ v).softmax(dim=-1) for name in hints}
    truth = {name: not torch.allclose(w, w[:1], atol=1e-4) for name, w in weights.items()}
    return check_prediction(prediction, truth, hints, praise="Measured, and so.")


def check_frugal(function) -> Right:
    """(layer, query, key) -> scores (B, T, S), from tables of at most (B, S, H)."""
    torch.manual_seed(1)
    layer = AdditiveAttention(query_size=4, key_size=6, hidden_size=8)
    query, key = torch.randn(2, 3, 4), torch.randn(2, 5, 6)
    right = layer.score(query, layer.project_keys(key)).detach()
    straight = layer.W_q(query).unsqueeze(2) + layer.W_k(key).unsqueeze(1)
    mistakes = {
        "The tanh is missing.": lambda *_: layer.v(straight).squeeze(-1),
        "A row is wanted for each query, not for each key.": lambda *_: right.mT,
        "The queries stand before the sentences.": lambda *_: right.transpose(0, 1),
    }
    sizes, calls = [], []
    hooks = [
        layer.v.register_forward_pre_hook(lambda _, given: sizes.append(given[0].numel())),
        layer.W_k.register_forward_hook(lambda *_: calls.append(1)),
    ]
    scores = function(layer, query, key)
    for hook in hooks:
        hook.remove()
    check_function(lambda *_: scores, lambda *_: right, [(query, key)], mistakes)
    if not sizes or max(sizes) > 2 * 5 * 8:
        raise WrongAnswer(f"A table of {max(sizes, default=0)} numbers; B·S·H are 80.")
    if len(calls) != 1:
        raise WrongAnswer(f"The keys were projected {len(calls)} times; once is enough.")
    return Right("The same scores from a smaller table.")


def check_mended(function) -> Right:
    """Projected query (B, T, H), key (B, S, H), v (H,) -> additive scores (B, T, S)."""

    def table(query, key):
        return query.unsqueeze(2) + key.unsqueeze(1)

    def right(query, key, v):
        return table(query, key).tanh() @ v

    mistakes = {
        "A row is wanted for each query, not for each key. Which axis does each `unsqueeze` "
        "make?": lambda q, k, v: right(q, k, v).mT,
        "The tanh is missing.": lambda q, k, v: table(q, k) @ v,
        "The tanh belongs before v: it bends features, not scores.": (
            lambda q, k, v: (table(q, k) @ v).tanh()
        ),
    }
    torch.manual_seed(1)
    small = torch.tensor([[[0.0], [1.0]]]), torch.tensor([[[0.0], [3.0]]]), torch.ones(1)
    cases = [small, (torch.randn(2, 3, 4), torch.randn(2, 5, 4), torch.randn(4))]
    return check_function(function, right, cases, mistakes, "Rows are queries again.")
