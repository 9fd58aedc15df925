"""Checkers of the chapter on the attention decoder."""

import torch

from d2l_lite.attention import AdditiveAttention, DotAttention
from d2l_lite.exercises.checking import Right, WrongAnswer, check_function, check_prediction
from d2l_lite.rnn import RNNAttentionDecoder, RNNEncoder


def check_shapes(prediction: dict) -> Right:
    """Shapes (tuples) in a model with B=5, S=9, T=7, E=32, H=64, V=50, two layers each."""
    encoder = RNNEncoder(40, 32, 64, num_layers=2, bidirectional=True)
    layer = AdditiveAttention(64, 64, 64)
    decoder = RNNAttentionDecoder(50, 32, 64, layer, num_layers=2)
    outputs, lstm = encoder(torch.ones(5, 9, dtype=torch.long), torch.full((5,), 9))
    tgt_in, state = torch.ones(5, 7, dtype=torch.long), decoder.init_state((outputs, lstm))
    truth = {
        "encoder outputs": outputs.shape,
        "hidden state of the encoder, handed to the decoder": lstm[0].shape,
        "one query": lstm[0][-1].unsqueeze(1).shape,
        "what the decoder's LSTM reads in one step": (5, 1, decoder.rnn.input_size),
        "weights of the whole pass": decoder.read(tgt_in, state)[1][:, 0].shape,
        "logits": decoder(tgt_in, state)[0].shape,
    }
    texts = [
        {(5, 9, 128): "Each direction has half of H.", None: "B, S, and what for each word?"},
        {(4, 5, 32): "The directions are joined side by side.", None: "Layers stand in front."},
        {(5, 64): "Attention wants an axis for the queries, here of length 1.", None: "One layer."},
        {(5, 1, 64): "Something stands beside the context.", None: "Context and embedded word."},
        {(5, 9, 7): "A row for each query: T first.", None: "A row of S weights for each step."},
        "A number for each word of the vocabulary, at each step.",
    ]
    return check_prediction(prediction, truth, dict(zip(truth, texts, strict=True)))


def check_forward(function) -> Right:
    """(decoder, words (B, T), state) -> logits (B, T, V), those of the decoder itself."""
    decoder, tgt_in, state = _made(AdditiveAttention(16, 16, 16))
    right = decoder(tgt_in, state)[0].detach()
    result = function(decoder, tgt_in, state)
    if isinstance(result, torch.Tensor) and result.shape == right.shape:
        for step in range(tgt_in.shape[1]):
            if not torch.allclose(result[:, step], right[:, step], atol=1e-5):
                why = (
                    "Does each step ask anew?" if step else "Is it the query, the mask, the order?"
                )
                raise WrongAnswer(f"The logits of step {step + 1} are not the decoder's. {why}")
    return check_function(lambda *_: result, lambda *_: right, [(tgt_in,)], praise="Mended.")


def check_query(function) -> Right:
    """An LSTM's state, hidden and cell (layers, B, H) -> the query (B, 1, H)."""
    mistakes = {
        "That is the bottom layer, the one that reads the words.": lambda s: s[0][0].unsqueeze(1),
        "That is the memory cell, which the LSTM keeps to itself.": lambda s: s[1][-1].unsqueeze(1),
        "That is the last sentence of the batch, not the top layer.": lambda s: s[0][:, -1:],
    }
    cases = [(tuple(torch.arange(2.0 * n).reshape(n, 2, 1) + k for k in (0, 9)),) for n in (1, 2)]
    return check_function(function, lambda s: s[0][-1].unsqueeze(1), cases, mistakes)


def check_batch_first(function) -> Right:
    """Outputs (S, B, H) -> the same vectors as (B, S, H)."""
    mistakes = {
        "The shape is right, and the vectors of different sentences are mixed.": lambda o: (
            o.reshape(o.shape[1], o.shape[0], -1)
        ),
    }
    cases = [(torch.arange(12.0).reshape(3, 2, 2),)]
    return check_function(function, lambda o: o.transpose(0, 1), cases, mistakes)


def check_from_zeros(function) -> Right:
    """A decoder's state -> the same with an LSTM state of zeros; measures the first weights."""
    decoder, tgt_in, state = _made(DotAttention())
    before = [part.detach().clone() for part in state.lstm]
    cut = function(state)
    if not isinstance(cut, type(state)):
        raise WrongAnswer(f"A state like the one given is wanted, not {type(cut).__name__}.")
    if any(not torch.equal(*pair) for pair in zip(before, state.lstm, strict=True)):
        raise WrongAnswer("It changes its input in place.")
    if not torch.equal(cut.values, state.values) or cut.keys is not state.keys:
        raise WrongAnswer("Values and keys should stay: the source is still attended to.")
    if not isinstance(cut.lstm, tuple) or len(cut.lstm) != 2:
        raise WrongAnswer("`lstm` should be a pair of tensors: hidden state and memory cell.")
    for part, name in zip(cut.lstm, ("hidden state", "memory cell"), strict=True):
        if part.shape != before[0].shape or part.any():
            raise WrongAnswer(f"The {name} should be zeros, {tuple(before[0].shape)}.")
    weights = decoder.features(tgt_in, cut)[1][0].detach()  # (T, S)
    first, second = ([round(w, 4) for w in row.tolist()] for row in weights[:2])
    return Right(f"The weights of a sentence of six words: {first} at step 1, {second} at step 2.")


def _made(attention):
    """A decoder, the words (3, 5) that it reads, and its state after sources of 6, 2 and 4."""
    torch.manual_seed(1)
    encoder, src_len = RNNEncoder(20, 8, 16), torch.tensor([6, 2, 4])
    decoder = RNNAttentionDecoder(30, 8, 16, attention)
    for parameter in decoder.parameters():
        parameter.data *= 4  # as if trained: weights of a fresh layer hardly depend on the query
    state = decoder.init_state(encoder(torch.randint(4, 20, (3, 6)), src_len), src_len)
    return decoder, torch.randint(4, 30, (3, 5)), state
