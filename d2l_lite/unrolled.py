"""The loop of the LSTM decoder that attends before each word, its gradient written out.

`RNNAttentionDecoder` has the same loop in simple form, and the numbers are the same. There autograd
notes each operation of each step, and on the way back adds to the gradient of each weight at each
step. Here the loops hold what must wait for the step before and nothing else: all slopes are
computed at once before the way back, and the gradients of the weights after it.

A tanh is a sigmoid of the double, tanh x = 2 σ(2x) - 1, which PyTorch computes several times faster
on a processor. So what would go into a tanh comes in doubled. Of the scores v · (2σ - 1) the
softmax needs 2v · σ only: what is left is the same for all keys.
"""

from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from d2l_lite.attention import AdditiveAttention

LSTMState = tuple[Tensor, Tensor]  # hidden state and memory cell, (layers, B, H) each
Attended = tuple[Tensor, Tensor, Tensor, LSTMState]  # outputs, contexts, weights, the last state


def attend_before_each_word(
    rnn: nn.LSTM, attention: AdditiveAttention, embedded: Tensor, state: Any
) -> Attended:
    """Query with the top state, then read context and word, one word after the other.

    There is no dropout inside, and no second derivative.

    Args:
        rnn: reads a context and then a word, H + E numbers. embedded: the words, (B, T, E).
        state: an `AttentionState`.

    Returns:
        The LSTM's outputs (B, T, H), the contexts (B, T, H), the weights (B, T, S), the last state.
    """
    values, lstm, (keys, mask) = state
    hidden = None if mask is None else values.new_zeros(()).where(mask[:, 0], -torch.inf)  # (B, S)
    scoring = attention.W_q.weight, attention.v.weight
    words = embedded.transpose(0, 1)
    found = _Steps.apply(words, values, hidden, keys, *scoring, *lstm, *rnn.parameters())
    outputs, contexts, seen = (part.transpose(0, 1) for part in found[:3])
    return outputs, contexts, seen, found[3:]


class _Steps(torch.autograd.Function):
    """The loop, and the loop back. Time comes first."""

    @staticmethod
    def forward(
        ctx: Any, words: Tensor, values: Tensor, hidden: Tensor | None, keys: Tensor, W_q: Tensor,
        v: Tensor, state: Tensor, memory: Tensor, *weights: Tensor,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        fours = (weights[i : i + 4] for i in range(0, len(weights), 4))
        layers = [_Layer(*parts) for parts in zip(fours, state, memory, strict=True)]
        keys, v, notes = 2 * keys, 2 * v[0], []
        for word in words:
            query = layers[-1].state
            features = torch.add(keys, (query @ W_q.t())[:, None], alpha=2).sigmoid_()  # (B, S, A)
            scores = (features.flatten(0, 1) @ v).view(keys.shape[:2])
            if hidden is not None:
                scores += hidden
            seen = scores.softmax(dim=1)  # (B, S)
            context = torch.bmm(seen[:, None], values)[:, 0]  # (B, H)
            x = layers[0].step(context, word)
            for layer in layers[1:]:
                x = layer.step(x)
            notes.append((x, context, seen, query, features))
        outputs, contexts, seen, *rest = map(torch.stack, zip(*notes, strict=True))
        ctx.layers = layers
        ctx.save_for_backward(values, W_q, v, seen, *rest)
        last = zip(*((layer.state, layer.memories[-1]) for layer in layers), strict=True)
        return outputs, contexts, seen, *map(torch.stack, last)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, d_outputs: Tensor, d_contexts: Tensor, d_seen: Tensor, *d_last: Tensor
    ) -> tuple[Tensor | None, ...]:
        values, W_q, v, seen, queries, features = ctx.saved_tensors
        slopes = (features - features.square()).mul_(2 * v)  # of scores by queries, (T, B, S, A)
        for layer, *gradients in zip(ctx.layers, *d_last, strict=True):
            layer.turn(*gradients)
        steps = list(zip(d_outputs, d_contexts, d_seen, seen, slopes, strict=True))
        notes, top = [], ctx.layers[-1]
        for t in reversed(range(len(steps))):
            d_x, d_context, d_weights, weights, slope = steps[t]
            for layer in reversed(ctx.layers):
                d_x = layer.back(t, d_x)
            d_x, d_word = d_x.tensor_split((values.shape[2],), dim=1)
            d_context = d_context + d_x
            d_weights = d_weights + torch.bmm(values, d_context[:, :, None])[:, :, 0]
            d_scores = weights * d_weights
            d_scores = torch.addcmul(d_scores, weights, d_scores.sum(1, keepdim=True), value=-1)
            d_query = torch.bmm(d_scores[:, None], slope)[:, 0]
            top.d_state = torch.addmm(top.d_state, d_query, W_q)
            notes.append((d_word, d_context, d_scores, d_query))
        d_words, d_context, d_scores, d_query = map(torch.stack, zip(*reversed(notes), strict=True))
        d_values = torch.bmm(seen.permute(1, 2, 0), d_context.transpose(0, 1))
        d_keys = slopes.mul_(d_scores[..., None]).sum(0)
        d_W_q = d_query.flatten(0, 1).t() @ queries.flatten(0, 1)
        d_v = 2 * (d_scores.view(1, -1) @ features.flatten(0, 2))
        d_lstm = map(torch.stack, zip(*((a.d_state, a.d_memory) for a in ctx.layers), strict=True))
        d_weights = chain.from_iterable(layer.gradients() for layer in ctx.layers)
        return d_words, d_values, None, d_keys, d_W_q, d_v, *d_lstm, *d_weights


class _Layer:
    """One layer of the LSTM: steps forwards and takes notes, and goes back by them."""

    def __init__(self, weights: tuple[Tensor, ...], state: Tensor, memory: Tensor):
        of_input, of_state, bias, other_bias = weights
        self.size = state.shape[1]
        self.weight = torch.cat((of_input, of_state), dim=1)  # (4H, D + H)
        self.bias = bias + other_bias
        for part in (self.weight, self.bias):
            part[2 * self.size : 3 * self.size] *= 2  # what goes into the memory is a tanh
        self.state, self.memories = state, [memory]  # (B, H) each
        self.read: list[Tensor] = []
        self.gates: list[Tensor] = []
        self.tanhs: list[Tensor] = []

    def step(self, *parts: Tensor) -> Tensor:
        """Read numbers of each sentence, (B, D) in all: the new state (B, H)."""
        read = torch.cat((*parts, self.state), dim=1)
        gates = torch.addmm(self.bias, read, self.weight.t()).sigmoid_()  # (B, 4H)
        i, f, g, o = gates.chunk(4, dim=1)
        memory = (f * self.memories[-1]).sub_(i).addcmul_(i, g, value=2)  # f · c + i · (2g - 1)
        tanh = memory.tanh()
        self.state = o * tanh
        self.read.append(read)
        self.gates.append(gates)
        self.memories.append(memory)
        self.tanhs.append(tanh)
        return self.state

    def turn(self, d_state: Tensor, d_memory: Tensor) -> None:
        """Before the way back: the slopes of all steps."""
        self.d_state, self.d_memory = d_state, d_memory
        gates, tanhs = torch.stack(self.gates).unflatten(2, (4, -1)), torch.stack(self.tanhs)
        i, f, g, o = gates.unbind(2)  # (T, B, H) each
        slopes = torch.stack((2 * g - 1, torch.stack(self.memories[:-1]), 2 * i, tanhs), dim=2)
        slopes *= gates - gates.square()
        self.of_memory, self.of_state = slopes[:, :, :3].unbind(), slopes[:, :, 3].unbind()
        self.between = (o - o * tanhs.square()).unbind()  # of the state by the memory
        self.forget = f.unbind()
        self.d_gates = torch.empty_like(slopes)  # (T, B, 4, H)

    def back(self, t: int, d_x: Tensor) -> Tensor:
        """From the gradient of what step t gave to that of what it read."""
        d_state = d_x + self.d_state
        d_memory = torch.addcmul(self.d_memory, d_state, self.between[t])
        d_gates = self.d_gates[t]
        torch.mul(self.of_memory[t], d_memory[:, None], out=d_gates[:, :3])
        torch.mul(self.of_state[t], d_state, out=d_gates[:, 3])
        self.d_memory = d_memory * self.forget[t]
        d_read = d_gates.flatten(1) @ self.weight  # (B, D + H)
        d_x, self.d_state = d_read.tensor_split((-self.size,), dim=1)
        return d_x

    def gradients(self) -> tuple[Tensor, ...]:
        """Of the layer's weights, in their order."""
        self.d_gates[:, :, 2] *= 2
        d_gates = self.d_gates.flatten(2).flatten(0, 1)  # (T · B, 4H)
        d_weight, d_bias = d_gates.t() @ torch.cat(self.read), d_gates.sum(0)
        return *d_weight.tensor_split((-self.size,), dim=1), d_bias, d_bias
