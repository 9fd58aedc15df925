"""The loop of the LSTM decoder that attends before each word, its gradient written out.

`RNNAttentionDecoder` has the same loop in simple form, and the numbers are the same. There autograd
notes each operation of each step, and on the way back adds to the gradient of each weight at each
step. Here the loops hold what must wait for the step before and nothing else: all slopes are
computed at once before the way back, and the gradients of the weights after it.

A tanh is a sigmoid of the double, tanh x = 2 σ(2x) - 1, which PyTorch computes several times faster
on a processor. So what would go into a tanh comes in doubled. Of the scores v · (2σ - 1) the
softmax needs 2v · σ only: what is left is the same for all keys.
"""

from typing import Any

import torch
import torch.nn.functional as F
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
    size = rnn.hidden_size
    double = values.new_tensor([1, 1, 2, 1]).repeat_interleave(size)  # the third gate's is a tanh
    weights, biases = [], []
    for of_input, of_state, *bias in rnn.all_weights:
        weights.append(torch.cat((of_input[:, :size], of_state), dim=1) * double[:, None])
        biases.append(sum(bias) * double)
    of_word = rnn.all_weights[0][0][:, size:] * double[:, None]
    words = F.linear(embedded.transpose(0, 1), of_word, biases[0])  # (T, B, 4H), all at once
    hidden = None if mask is None else values.new_zeros(()).where(mask[:, 0], -torch.inf)  # (B, S)
    W_q, v = 2 * attention.W_q.weight, 2 * attention.v.weight[0]
    found = _Steps.apply(words, values, hidden, 2 * keys, W_q, v, *lstm, *weights, *biases[1:])
    outputs, contexts, seen = (part.transpose(0, 1) for part in found[:3])
    return outputs, contexts, seen, found[3:]


class _Steps(torch.autograd.Function):
    """The loop, and the loop back. Time comes first."""

    @staticmethod
    def forward(
        ctx: Any, words: Tensor, values: Tensor, hidden: Tensor | None, keys: Tensor, W_q: Tensor,
        v: Tensor, state: Tensor, memory: Tensor, *weights: Tensor,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        layers = [_Layer(*parts) for parts in zip(weights, state, memory, strict=False)]
        notes = []
        for word in words:
            query = layers[-1].state
            features = torch.add(keys, (query @ W_q.t())[:, None]).sigmoid_()  # (B, S, A)
            scores = (features.flatten(0, 1) @ v).view(keys.shape[:2])
            if hidden is not None:
                scores += hidden
            seen = scores.softmax(dim=1)  # (B, S)
            x = context = torch.bmm(seen[:, None], values)[:, 0]  # (B, H)
            for layer, bias in zip(layers, (word, *weights[len(layers) :]), strict=True):
                x = layer.step(x, bias)
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
        slopes = torch.addcmul(features, features, features, value=-1).mul_(v)  # (T, B, S, A)
        for layer, *gradients in zip(ctx.layers, *d_last, strict=True):
            layer.turn(*gradients)
        steps = list(zip(d_outputs, d_contexts, d_seen, seen, slopes, strict=True))
        notes = []
        for t in reversed(range(len(steps))):
            d_x, d_context, d_weights, weights, slope = steps[t]
            for layer in reversed(ctx.layers):
                d_x = layer.back(t, d_x)
            d_context = d_context + d_x
            d_weights = d_weights + torch.bmm(values, d_context[:, :, None])[:, :, 0]
            d_scores = weights * d_weights
            d_scores = torch.addcmul(d_scores, weights, d_scores.sum(1, keepdim=True), value=-1)
            d_query = torch.bmm(d_scores[:, None], slope)[:, 0]
            ctx.layers[-1].d_state = torch.addmm(ctx.layers[-1].d_state, d_query, W_q)
            notes.append((d_context, d_scores, d_query))
        d_context, d_scores, d_query = map(torch.stack, zip(*reversed(notes), strict=True))
        d_values = torch.bmm(seen.permute(1, 2, 0), d_context.transpose(0, 1))
        d_keys = slopes.mul_(d_scores[..., None]).sum(0)
        d_W_q = d_query.flatten(0, 1).t() @ queries.flatten(0, 1)
        d_v = d_scores.flatten() @ features.flatten(0, 2)
        found = zip(*(layer.gradients() for layer in ctx.layers), strict=True)
        d_state, d_memory, d_weights, d_words = found
        d_lstm = torch.stack(d_state), torch.stack(d_memory)
        d_biases = [d_word.sum((0, 1)) for d_word in d_words[1:]]
        return d_words[0], d_values, None, d_keys, d_W_q, d_v, *d_lstm, *d_weights, *d_biases


class _Layer:
    """One layer of the LSTM: steps forwards and takes notes, and goes back by them."""

    def __init__(self, weight: Tensor, state: Tensor, memory: Tensor):
        self.weight, self.state, self.memories = weight, state, [memory]  # (4H, D + H), (B, H)
        self.read: list[Tensor] = []
        self.gates: list[Tensor] = []
        self.tanhs: list[Tensor] = []

    def step(self, x: Tensor, bias: Tensor) -> Tensor:
        """Read x (B, D); `bias` is (4H,) or, with what is known beforehand, (B, 4H)."""
        read = torch.cat((x, self.state), dim=1)
        gates = torch.addmm(bias, read, self.weight.t()).sigmoid_()  # (B, 4H)
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
        d_x, self.d_state = d_read.tensor_split((-d_state.shape[1],), dim=1)
        return d_x

    def gradients(self) -> tuple[Tensor, ...]:
        """Of the first state and memory, of the weight, and of what each step adds, (T, B, 4H)."""
        d_gates = self.d_gates.flatten(2)
        d_weight = d_gates.flatten(0, 1).t() @ torch.cat(self.read)
        return self.d_state, self.d_memory, d_weight, d_gates
