"""Wrong answers to the exercises on understanding sequence to sequence."""

import torch

import d2l_lite as d2l
from d2l_lite.exercises.understanding_seq2seq import change_word

CUT = {
    "W_q of the attention": False,
    "W_k of the attention": False,
    "v of the attention": False,
    "LSTM of the encoder": True,
    "LSTM of the decoder": True,
}


def moved(context, position, relative=True):
    before, after = map(context, change_word(position))
    length = (after - before).norm()
    return (length / before.norm() if relative else length).item()


def four(last, mean, **how):
    return {
        f"{name}, {word} word changed": moved(context, position, **how)
        for name, context in {"last state": last, "mean": mean}.items()
        for word, position in {"first": 0, "last": 29}.items()
    }


def last_output(outputs):
    return outputs[:, -1]


def masked_by_product(outputs, src_len):
    mask = d2l.length_mask(src_len, outputs.shape[1]).transpose(1, 2)
    return (outputs * mask).amax(dim=1)


def value_path(query, states, gradient):
    return (states @ query).softmax(dim=-1)[:, None] * gradient


def key_path(query, states, gradient):
    weights = (states @ query).softmax(dim=-1)
    return (weights * ((states - weights @ states) @ gradient))[:, None] * query


def hides_the_words(outputs, src_len):
    hidden = torch.arange(outputs.shape[1]) < src_len[:, None]
    return outputs.masked_fill(hidden[..., None], -torch.inf).amax(dim=1)


def without_the_mean(query, states, of_context):
    weights = (states @ query).softmax(dim=0)
    return torch.outer(weights, of_context) + torch.outer(weights * (states @ of_context), query)


WRONG = {
    "check_last_outputs": [
        (lambda outputs, src_len: outputs[:, -1], "position -1 is padding"),
        (lambda outputs, src_len: outputs[torch.arange(len(outputs)), src_len], "One too far"),
        (lambda outputs, src_len: outputs[:, src_len - 1], r"shape is \(2, 2, 2\)"),
    ],
    "check_max_context": [
        (lambda outputs, src_len: outputs.amax(dim=1), "zeros of the padding win"),
        (masked_by_product, "zeros of the padding win"),
        (lambda outputs, src_len: outputs.amax(dim=-1), r"shape is \(2, 5\)"),
        (hides_the_words, "wrong way round"),
        (lambda outputs, src_len: outputs[torch.arange(2), src_len - 1], "The numbers differ"),
    ],
    "check_state_gradient": [
        (value_path, "A state is a key, too"),
        (key_path, "A state is a value, too"),
        (without_the_mean, "minus c is missing"),
    ],
    "check_cut_gradient": [
        (dict.fromkeys(CUT, True), "W_q.*does not lead through the weights"),
        ({**CUT, "LSTM of the decoder": False}, "decoder.*its only way"),
        ({**CUT, "LSTM of the encoder": False}, "encoder.*its only way"),
    ],
    "check_changed_word": [
        (four(last_output, lambda o: o.mean(dim=1), relative=False), "Divide by the length"),
        (four(last_output, last_output), "mean, first.*along S"),
        (four(lambda o: o[:, 0], lambda o: o.mean(dim=1)), "last state, first.*along S"),
    ],
}
