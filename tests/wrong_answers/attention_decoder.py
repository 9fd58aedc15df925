"""Wrong answers to the exercises on the attention decoder."""

import torch

SHAPES = {
    "encoder outputs": (5, 9, 64),
    "hidden state of the encoder, handed to the decoder": (2, 5, 64),
    "one query": (5, 1, 64),
    "what the decoder's LSTM reads in one step": (5, 1, 96),
    "weights of the whole pass": (5, 7, 9),
    "logits": (5, 7, 50),
}


def run(decoder, tgt_in, state, look, anew=True):
    """Logits of a decoder whose query is `look` of the LSTM's state."""
    values, lstm, (keys, mask) = state
    outputs, query = [], None
    for word in decoder.embedding(tgt_in).split(1, dim=1):
        if anew or query is None:
            query = look(lstm)
        context, _ = decoder.attention.attend(query, keys, values, mask)
        output, lstm = decoder.rnn(torch.cat([context, word], dim=-1), lstm)
        outputs.append(output)
    return decoder.output(torch.cat(outputs, dim=1))


def top(lstm):
    return lstm[0][-1].unsqueeze(1)


def cell(lstm):
    return lstm[1][-1].unsqueeze(1)


def zeros(lstm):
    return tuple(map(torch.zeros_like, lstm))


def in_place(state):
    for part in state.lstm:
        part.detach().zero_()
    return state


WRONG = {
    "check_shapes": [
        ({**SHAPES, "encoder outputs": (5, 9, 128)}, "half of H"),
        ({**SHAPES, "one query": (5, 64)}, "axis for the queries"),
        ({**SHAPES, "what the decoder's LSTM reads in one step": (5, 1, 64)}, "beside the context"),
        ({**SHAPES, "weights of the whole pass": (5, 9, 7)}, "T first"),
    ],
    "check_forward": [
        (lambda *given: run(*given, look=top, anew=False), "step 2 .*ask anew"),
        (lambda *given: run(*given, look=cell), "step 1 .*the query"),
        (lambda *given: run(*given, look=top)[:, -1], r"shape is \(3, 30\)"),
    ],
    "check_query": [
        (lambda state: state[0][0].unsqueeze(1), "bottom layer"),
        (lambda state: state[1][-1].unsqueeze(1), "memory cell"),
        (lambda state: state[0][-1], r"shape is \(2, 1\)"),
    ],
    "check_batch_first": [
        (lambda outputs: outputs.reshape(outputs.shape[1], outputs.shape[0], -1), "are mixed"),
        (lambda outputs: outputs, r"shape is \(3, 2, 2\)"),
        (lambda outputs: outputs.permute(2, 1, 0), r"shape is \(2, 2, 3\)"),
    ],
    "check_from_zeros": [
        (lambda state: state._replace(lstm=(zeros(state.lstm)[0], state.lstm[1])), "memory cell"),
        (
            lambda state: state._replace(values=state.values * 0, lstm=zeros(state.lstm)),
            "Values and keys",
        ),
        (lambda state: state._replace(lstm=(torch.zeros(1, 3, 8),) * 2), r"hidden.*\(1, 3, 16\)"),
        (lambda state: state._replace(lstm=None), "pair of tensors"),
        (lambda state: zeros(state.lstm), "not tuple"),
        (in_place, "in place"),
    ],
}
