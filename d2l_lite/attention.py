"""Attention: masks, the masked softmax, and four scoring functions as layers.

An attention layer compares each query with each key, turns the scores into weights by a softmax
over the keys, and returns the weighted sum of the values. The layers differ in the score alone.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

# Additive attention computes at most so many of its B · T · S · H numbers at a time. On a processor
# 16 MB in float32: what is above 32 MB is fetched from the system each time, which takes as long
# as computing it. A GPU needs more at a time to have enough to do.
AT_A_TIME = {"cpu": 1 << 22, "cuda": 1 << 26}


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """Turn valid lengths into a mask that is True where a query may attend.

    Args:
        lengths: how many keys are valid, from the left; per sentence (B,) or per query (B, T).
        size: the number of keys S.

    Returns:
        Boolean, (B, 1, S) or (B, T, S).

    Raises:
        ValueError: a length is negative, longer than `size`, or no whole number, or `lengths` is
            neither (B,) nor (B, T).
    """
    if lengths.dim() not in (1, 2):
        raise ValueError(f"valid lengths must be (B,) or (B, T), not {tuple(lengths.shape)}")
    check_lengths(lengths, size, least=0)
    if lengths.dim() == 1:
        lengths = lengths[:, None]  # (B, 1)
    return torch.arange(size, device=lengths.device) < lengths[:, :, None].long()


def check_lengths(lengths: Tensor, size: int, least: int) -> None:
    """Raise a ValueError unless all lengths are whole numbers from `least` to `size`."""
    lengths = lengths.float()
    wrong = (lengths < least) | (lengths > size) | (lengths != lengths.floor())
    if wrong.any():
        raise ValueError(f"a valid length of {lengths[wrong][0].item():g} in a row of {size}")


def causal_mask(size: int, device: torch.device | None = None, first: int = 0) -> Tensor:
    """The mask that lets position t attend to positions 0 … t: boolean, (size - first, size).

    Its rows begin with that of position `first`: those before it have been read already.
    """
    return torch.ones(size - first, size, dtype=torch.bool, device=device).tril(diagonal=first)


def masked_softmax(scores: Tensor, valid: Tensor | None = None) -> Tensor:
    """Softmax over the last axis that gives hidden positions a weight of exactly 0.

    A row with nothing to attend to becomes all zeros, and its gradient is 0. `scores` is left as
    it was. Works in every floating-point type.

    Args:
        scores: (..., S); with valid lengths, (B, T, S).
        valid: a boolean mask that broadcasts to `scores`, True = may attend; or valid lengths,
            (B,) or (B, T), as `length_mask` takes them; or None, nothing hidden.

    Returns:
        Weights of the shape and type of `scores`.

    Raises:
        ValueError: the shapes do not fit, or a length is out of range.
    """
    if valid is None:
        return scores.softmax(dim=-1)
    hidden = ~_as_mask(valid, scores)
    # A row of nothing but -inf would become NaN, and NaN would spread to the gradients of values.
    # Such a row goes through the softmax as zeros, and the last fill makes its weights 0.
    empty = hidden.all(dim=-1, keepdim=True)
    weights = scores.masked_fill(hidden, -torch.inf).masked_fill(empty, 0.0).softmax(dim=-1)
    return weights.masked_fill(hidden, 0.0)


def _as_mask(valid: Tensor, scores: Tensor) -> Tensor:
    """`valid`, a mask or lengths, as a mask that is known to fit `scores`."""
    if valid.dtype == torch.bool:
        what, mask = "a mask", valid
        sizes = zip(reversed(mask.shape), reversed(scores.shape), strict=False)
        fits = mask.dim() <= scores.dim() and all(m in (1, s) for m, s in sizes)
    else:
        what, mask = "valid lengths", length_mask(valid, scores.shape[-1])
        fits = scores.dim() == 3 and valid.shape in (scores.shape[:1], scores.shape[:2])
    if not fits:
        raise ValueError(
            f"{what} of shape {tuple(valid.shape)} for scores of shape {tuple(scores.shape)}"
        )
    return mask.to(scores.device)


class Attention(nn.Module):
    """What all attention layers share: score, masked softmax, dropout, weighted sum.

    A subclass says how queries and keys are scored. Dropout acts on the weights; the weights that
    are returned are those before it, so that each row sums to 1.
    """

    def __init__(self, dropout: float = 0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)

    def project_keys(self, key: Tensor) -> Tensor:
        """The part of the score that depends on the keys alone; done once a sentence."""
        return key

    def score(self, query: Tensor, projected_key: Tensor) -> Tensor:
        """Scores (B, T, S) of queries (B, T, Dq) and projected keys (B, S, ·)."""
        raise NotImplementedError

    def attend(
        self, query: Tensor, projected_key: Tensor, value: Tensor, valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """`forward` for keys that `project_keys` has already seen."""
        weights = masked_softmax(self.score(query, projected_key), valid)  # (B, T, S)
        return torch.bmm(self.dropout(weights), value), weights  # (B, T, Dv), (B, T, S)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Attend to `value` with the weights that `query` and `key` give.

        Args:
            query: (B, T, Dq). key: (B, S, Dk). value: (B, S, Dv).
            valid: see `masked_softmax`.

        Returns:
            The contexts (B, T, Dv) and the weights (B, T, S).

        Raises:
            ValueError: the shapes do not fit together.
        """
        for name, tensor in (("query", query), ("key", key), ("value", value)):
            if tensor.dim() != 3:
                raise ValueError(f"{name} must have 3 axes, not shape {tuple(tensor.shape)}")
        if key.shape[:2] != value.shape[:2] or len(query) != len(key):
            raise ValueError(
                f"query {tuple(query.shape)}, key {tuple(key.shape)} and value "
                f"{tuple(value.shape)} must agree on B, and key and value on S"
            )
        return self.attend(query, self.project_keys(key), value, valid)


class DotAttention(Attention):
    """Score q · k (Luong et al. 2015, "dot"). Queries and keys have one size."""

    def score(self, query: Tensor, projected_key: Tensor) -> Tensor:
        if query.shape[-1] != projected_key.shape[-1]:
            raise ValueError(
                f"a dot product needs queries and keys of one size, not {query.shape[-1]} and "
                f"{projected_key.shape[-1]}; BilinearAttention and AdditiveAttention take two"
            )
        return torch.bmm(query, projected_key.transpose(1, 2))  # (B, T, S)


class ScaledDotAttention(DotAttention):
    """Score q · k / √d (Vaswani et al. 2017, section 3.2.1): the scores keep their spread."""

    def score(self, query: Tensor, projected_key: Tensor) -> Tensor:
        return super().score(query, projected_key) / math.sqrt(query.shape[-1])


class BilinearAttention(Attention):
    """Score q · W k (Luong et al. 2015, "general"). W is (query_size, key_size)."""

    def __init__(self, query_size: int, key_size: int, dropout: float = 0.0):
        super().__init__(dropout)
        self.W = nn.Linear(key_size, query_size, bias=False)

    def project_keys(self, key: Tensor) -> Tensor:
        return self.W(_sized(key, self.W.in_features, "keys"))  # (B, S, Dq)

    def score(self, query: Tensor, projected_key: Tensor) -> Tensor:
        query = _sized(query, self.W.out_features, "queries")
        return torch.bmm(query, projected_key.transpose(1, 2))  # (B, T, S)


class AdditiveAttention(Attention):
    """Score v · tanh(W_q q + W_k k) (Bahdanau et al. 2015, appendix A.1.2), "MLP attention".

    Without the tanh the query would add the same number to every score of its row, the softmax
    cancel it, and the weights would not depend on the query. What is large is compared in
    parts (`AT_A_TIME`): the same gradients, which cannot be differentiated a second time.
    """

    def __init__(self, query_size: int, key_size: int, hidden_size: int, dropout: float = 0.0):
        super().__init__(dropout)
        self.W_q = nn.Linear(query_size, hidden_size, bias=False)
        self.W_k = nn.Linear(key_size, hidden_size, bias=False)
        self.v = nn.Linear(hidden_size, 1, bias=False)

    def project_keys(self, key: Tensor) -> Tensor:
        return self.W_k(_sized(key, self.W_k.in_features, "keys"))  # (B, S, H)

    def score(self, query: Tensor, projected_key: Tensor) -> Tensor:
        query = self.W_q(_sized(query, self.W_q.in_features, "queries"))  # (B, T, H)
        if query.numel() * projected_key.shape[1] > AT_A_TIME.get(query.device.type, math.inf):
            return _ScoreInParts.apply(query, projected_key, self.v.weight[0])
        features = query.unsqueeze(2) + projected_key.unsqueeze(1)  # (B, T, S, H)
        return self.v(features.tanh()).squeeze(-1)  # (B, T, S)


class _ScoreInParts(torch.autograd.Function):
    """v · tanh(q + k) without the (B, T, S, H) numbers in between.

    They are computed in parts that the cache holds, and again on the way back instead of kept.
    """

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, v: Tensor) -> Tensor:
        ctx.save_for_backward(query, key, v)
        scores = query.new_empty(*query.shape[:2], key.shape[1])  # (B, T, S)
        for part, _, features in _features_in_parts(query, key):
            scores[part] = (features @ v[:, None])[..., 0]  # a product that FLOP counters see
        return scores

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, v = ctx.saved_tensors
        exact = torch.promote_types(v.dtype, torch.float32)  # sums over all parts
        to_query, to_key, to_v = (torch.zeros_like(x, dtype=exact) for x in (query, key, v))
        for part, sentences, features in _features_in_parts(query, key):
            to_scores = gradient[part]
            to_v += to_scores.flatten() @ features.flatten(0, 2)
            slopes = features.square_().neg_().add_(1)  # the derivative of tanh is 1 - tanh²
            slopes *= to_scores.unsqueeze(3)
            to_query[part] = slopes.sum(2, dtype=exact)
            to_key[sentences] += slopes.sum(1, dtype=exact)
        return (to_query * v).to(v.dtype), (to_key * v).to(v.dtype), to_v.to(v.dtype)


def _features_in_parts(
    query: Tensor, key: Tensor
) -> Iterator[tuple[tuple[slice, slice], slice, Tensor]]:
    """tanh(q + k) of some sentences or of some queries of one: where (B, T), where (B), numbers.

    The numbers (b, t, S, H) all come in one place; the next ones take it, and so may the caller.
    """
    (batch, queries), keys = query.shape[:2], key[0].numel()
    at_a_time = AT_A_TIME[query.device.type]
    b = max(1, at_a_time // (queries * keys))
    t = min(queries, max(1, at_a_time // keys))
    place = query.new_empty(b, t, *key.shape[1:])
    for first in range(0, batch, b):
        sentences = slice(first, first + b)
        for start in range(0, queries, t):
            part = sentences, slice(start, start + t)
            some = query[part].unsqueeze(2)  # (b, t, 1, H)
            room = place[: some.shape[0], : some.shape[1]]
            yield part, sentences, torch.add(some, key[sentences].unsqueeze(1), out=room).tanh_()


def _sized(vectors: Tensor, size: int, what: str) -> Tensor:
    """`vectors`, once they are known to be of the given size."""
    if vectors.shape[-1] != size:
        raise ValueError(f"{what} of size {vectors.shape[-1]} in a layer made for {size}")
    return vectors
