"""Checkers of the chapter on understanding sequence to sequence."""

import torch

from d2l_lite.attention import AdditiveAttention, length_mask, masked_softmax
from d2l_lite.exercises.checking import Right, check_function, check_prediction
from d2l_lite.rnn import RNNAttentionDecoder, RNNEncoder
from d2l_lite.seq2seq import EncoderDecoder


def check_last_outputs(function) -> Right:
    """Outputs (B, S, H) and lengths (B,) -> the outputs at the last words, (B, H)."""
    mistakes = {
        "In a short row position -1 is padding.": lambda o, n: o[:, -1],
        "One too far: lengths count from 1, positions from 0.": lambda o, n: _at(o, n),
    }
    cases = [(torch.arange(20.0).reshape(2, 5, 2), torch.tensor(n)) for n in ((2, 3), (5, 1))]
    return check_function(function, lambda o, n: _at(o, n - 1), cases, mistakes)


def check_max_context(function) -> Right:
    """Outputs (B, S, H) and lengths (B,) -> the largest valid number in each place, (B, H)."""

    def right(outputs, src_len):
        return torch.stack([row[:n].amax(dim=0) for row, n in zip(outputs, src_len, strict=True)])

    full, lengths = -1 - torch.arange(20.0).reshape(2, 5, 2) / 10, torch.tensor([3, 4])
    padded = full.masked_fill(~length_mask(lengths, 5).mT, 0)  # (B, S, H), all words below 0
    mistakes = {
        "The zeros of the padding win where the numbers of the words are negative.": (
            lambda outputs, _: outputs.amax(dim=1)
        ),
        "The mask is the wrong way round: the words are hidden.": lambda outputs, n: (
            outputs.masked_fill(length_mask(n, 5).mT, -torch.inf).amax(dim=1)
        ),
    }
    cases = [(full, torch.tensor([5, 5])), (padded, lengths)]
    return check_function(function, right, cases, mistakes)


def check_state_gradient(function) -> Right:
    """Query (H,), states (S, H) and dL/dc (H,) -> dL/dh (S, H), dot products as scores."""

    def paths(query, states, of_context):
        """The gradients of the states as keys and as values."""

        def context(keys, values):
            return (keys @ query).softmax(dim=-1) @ values

        return torch.func.vjp(context, states, states)[1](of_context)

    mistakes = {
        "That is the path as a key. A state is a value, too.": lambda *given: paths(*given)[0],
        "That is the path as a value. A state is a key, too.": lambda *given: paths(*given)[1],
        "What reaches a score is a distance from the context: the minus c is missing.": (
            lambda q, h, g: paths(q, h, g)[1] + torch.outer((h @ q).softmax(0) * (h @ g), q)
        ),
    }
    query, states = torch.tensor([0.5, 1.0]), torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]])
    cases = [(query, states, torch.tensor(of_context)) for of_context in ([1.0, 0.0], [1.0, -2.0])]
    return check_function(function, lambda *given: sum(paths(*given)), cases, mistakes)


class _Cut(AdditiveAttention):
    """Additive attention whose weights pass no gradient."""

    def attend(self, query, projected_key, value, valid=None):
        weights = masked_softmax(self.score(query, projected_key), valid).detach()
        return torch.bmm(weights, value), weights


def check_cut_gradient(prediction: dict) -> Right:
    """Whether each part of a model gets a gradient once the weights are detached."""
    layer = _Cut(8, 8, 8)
    encoder, decoder = RNNEncoder(9, 4, 8), RNNAttentionDecoder(9, 4, 8, layer)
    words, lengths = torch.full((2, 5), 6), torch.tensor([5, 3])
    EncoderDecoder(encoder, decoder).loss((words, lengths, words, lengths))[0].backward()
    parts = {f"{name} of the attention": part for name, part in layer.named_children()}
    del parts["dropout of the attention"]  # no parameters
    parts |= {"LSTM of the encoder": encoder.rnn, "LSTM of the decoder": decoder.rnn}
    truth = {name: next(part.parameters()).grad is not None for name, part in parts.items()}
    cut = "Is there a way from it to the loss that does not lead through the weights?"
    heard = "Is the way through the weights its only way to the loss?"
    return check_prediction(prediction, truth, {k: heard if v else cut for k, v in truth.items()})


def change_word(position: int) -> tuple[torch.Tensor, ...]:
    """Outputs (100, 30, 16) of an untrained encoder before and after a word is exchanged."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        encoder, src = RNNEncoder(100, 8, 16), torch.randint(4, 99, (100, 30))
        other = src.clone()
        other[:, position] += 1  # another word of the vocabulary
        return tuple(encoder(words, torch.full((100,), 30))[0] for words in (src, other))


def check_changed_word(answer: dict) -> Right:
    """How far last state and mean move, relative to their length before, for two words."""
    truth, hints = {}, {}
    usual = "Which word was changed, and is the context taken along S, axis 1 of (B, S, H)?"
    for name, context in {"last state": lambda o: o[:, -1], "mean": lambda o: o.mean(1)}.items():
        for word, position in {"first": 0, "last": 29}.items():
            before, after = map(context, change_word(position))
            key, moved = f"{name}, {word} word changed", (after - before).norm().item()
            truth[key] = moved / before.norm().item()
            hints[key] = {moved: "Divide by the length of the context before.", None: usual}
    return check_prediction(answer, truth, hints, tolerance=0.005)


def _at(outputs, places):
    """The output at one place in each row: (B, S, H), (B,) -> (B, H)."""
    return outputs[torch.arange(len(outputs)), places]
