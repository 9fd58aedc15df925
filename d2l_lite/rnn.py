"""Sequence-to-sequence models made of LSTMs, with and without attention."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from d2l_lite.attention import (
    AdditiveAttention,
    Attention,
    BilinearAttention,
    DotAttention,
    ScaledDotAttention,
    length_mask,
)
from d2l_lite.seq2seq import Encoder, IncrementalDecoder, check_source
from d2l_lite.unrolled import Attended, LSTMState, attend_before_each_word

CONTEXTS = ("start", "last", "mean")
QUERIES = ("before", "after")

# Scoring functions by name, for queries and keys of one size.
ATTENTIONS: dict[str, Callable[[int], Attention]] = {
    "additive": lambda size: AdditiveAttention(size, size, size),
    "bilinear": lambda size: BilinearAttention(size, size),
    "dot": lambda size: DotAttention(),
    "scaled-dot": lambda size: ScaledDotAttention(),
}


class RNNEncoder(Encoder):
    """An LSTM over the source words (Sutskever et al. 2014; two directions: Bahdanau et al. 2015).

    Padding is never read: the last state is that after the last word, whatever follows it. With
    two directions each has half the hidden size, so that outputs are (B, S, H) all the same.

    Raises:
        ValueError: `hidden_size` is odd and there are two directions.
    """

    def __init__(
        self,
        vocab_size: int,
        embed_size: int,
        hidden_size: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ):
        super().__init__()
        directions = 2 if bidirectional else 1
        if hidden_size % directions:
            raise ValueError(f"two directions cannot share a hidden size of {hidden_size}")
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.dropout = nn.Dropout(dropout)
        self.rnn = _lstm(embed_size, hidden_size // directions, num_layers, dropout, bidirectional)

    def forward(self, src: Tensor, src_len: Tensor) -> tuple[Tensor, LSTMState]:
        """src (B, S), src_len (B,) -> outputs (B, S, H), last states (layers, B, H) twice.

        Raises:
            ValueError: there is not one length a sentence, or one is not within 1 to S.
        """
        check_source(src, src_len)
        embedded = self.dropout(self.embedding(src))  # (B, S, E)
        if (src_len == src.shape[1]).all():  # nothing is padded, and unpacked is twice as fast
            outputs, (hidden, cell) = self.rnn(embedded)
            return outputs, (self._join(hidden), self._join(cell))
        packed = pack_padded_sequence(
            embedded, src_len.cpu(), batch_first=True, enforce_sorted=False
        )
        packed_outputs, (hidden, cell) = self.rnn(packed)
        outputs, _ = pad_packed_sequence(
            packed_outputs, batch_first=True, total_length=src.shape[1]
        )
        return outputs, (self._join(hidden), self._join(cell))

    def _join(self, state: Tensor) -> Tensor:
        """The two directions' states side by side: (layers · 2, B, H / 2) -> (layers, B, H)."""
        if not self.rnn.bidirectional:
            return state
        return torch.cat((state[0::2], state[1::2]), dim=-1)


class AttentionState(NamedTuple):
    """What `RNNAttentionDecoder` carries from word to word."""

    values: Tensor  # the encoder's outputs, (B, S, H)
    lstm: LSTMState
    keys: tuple[Tensor, Tensor | None]  # the projected keys, (B, S, ·), and their mask, (B, 1, S)


class _LSTMDecoder(IncrementalDecoder):
    """The layers that the decoders below share: embedding, LSTM, readout, output.

    The readout mixes what the LSTM says with the context, in a tanh layer. With `tied`, words are
    scored with the embedding matrix (Press and Wolf 2017), and the readout has its width.
    """

    def __init__(
        self,
        vocab_size: int,
        embed_size: int,
        hidden_size: int,
        num_layers: int,
        dropout: float,
        tied: bool,
        context_in: int,
        context_out: int,
    ):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.dropout = nn.Dropout(dropout)
        self.rnn = _lstm(embed_size + context_in, hidden_size, num_layers, dropout)
        width = embed_size if tied else hidden_size
        self.readout: nn.Module = nn.Identity()
        if tied or context_out:
            self.readout = nn.Sequential(nn.Linear(hidden_size + context_out, width), nn.Tanh())
        self.output = nn.Linear(width, vocab_size)
        if tied:
            # Rows of length about 1, not about √E: the first logits are then near 0.
            nn.init.normal_(self.embedding.weight, std=embed_size**-0.5)
            self.output.weight = self.embedding.weight

    def _embed(self, tgt_in: Tensor) -> Tensor:
        return self.dropout(self.embedding(tgt_in))  # (B, T, E)

    def _read_out(self, *parts: Tensor) -> Tensor:
        return self.dropout(self.readout(torch.cat(parts, dim=-1)))  # (B, T, D)


class RNNDecoder(_LSTMDecoder):
    """An LSTM over the target words that sees the source through one context of fixed size.

    Args:
        context: `"start"`, the encoder's last state is the first state, and that is all
            (Sutskever et al. 2014); `"last"`, the last state of the top layer is read at every
            step besides (Cho et al. 2014); `"mean"`, the mean of all encoder outputs is.
        tied: score words with the embedding matrix.

    Raises:
        ValueError: unknown `context`.
    """

    def __init__(
        self,
        vocab_size: int,
        embed_size: int,
        hidden_size: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        context: str = "start",
        tied: bool = False,
    ):
        _check_choice("context", context, CONTEXTS)
        context_in = 0 if context == "start" else hidden_size
        super().__init__(
            vocab_size,
            embed_size,
            hidden_size,
            num_layers,
            dropout,
            tied,
            context_in,
            context_out=0,
        )
        self.context = context

    def init_state(
        self, enc_outputs: tuple[Tensor, LSTMState], src_len: Tensor | None = None
    ) -> tuple[LSTMState, Tensor]:
        """The encoder's last state, and the context (B, 1, H), or (B, 1, 0) for `"start"`."""
        outputs, lstm = enc_outputs
        if self.context == "last":
            return lstm, lstm[0][-1][:, None]
        if self.context == "mean":
            return lstm, _mean(outputs, src_len)
        return lstm, outputs[:, :1, :0]

    def read(
        self, tgt_in: Tensor, state: tuple[LSTMState, Tensor]
    ) -> tuple[Tensor, None, tuple[LSTMState, Tensor]]:
        lstm, context = state
        embedded = self._embed(tgt_in)
        read = torch.cat((context.expand(-1, tgt_in.shape[1], -1), embedded), dim=-1)
        outputs, lstm = self.rnn(read, lstm)  # (B, T, H)
        return self._read_out(outputs), None, (lstm, context)

    def select(self, state: tuple[LSTMState, Tensor], rows: Tensor) -> tuple[LSTMState, Tensor]:
        lstm, context = state
        return _select(lstm, rows), context[rows]


class RNNAttentionDecoder(_LSTMDecoder):
    """An LSTM over the target words that attends to the encoder's outputs at every step.

    Args:
        attention: the layer that scores; its query has size H, its keys and values are the
            encoder's outputs.
        query: `"before"`, the query is the top state before the input word is read, and the LSTM
            reads the context with the word (Bahdanau et al. 2015); `"after"`, the query is the
            state after the word, and the context joins behind the LSTM (Luong et al. 2015).
        tied: score words with the embedding matrix.

    Raises:
        ValueError: unknown `query`.
    """

    def __init__(
        self,
        vocab_size: int,
        embed_size: int,
        hidden_size: int,
        attention: Attention,
        num_layers: int = 1,
        dropout: float = 0.0,
        query: str = "before",
        tied: bool = False,
    ):
        _check_choice("query", query, QUERIES)
        context_in = hidden_size if query == "before" else 0
        context_out = hidden_size if tied or query == "after" else 0
        super().__init__(
            vocab_size, embed_size, hidden_size, num_layers, dropout, tied, context_in, context_out
        )
        self.attention = attention
        self.query = query

    def init_state(
        self, enc_outputs: tuple[Tensor, LSTMState], src_len: Tensor | None = None
    ) -> AttentionState:
        """Start from the encoder's last state; project the keys once; hide the padding."""
        outputs, lstm = enc_outputs
        mask = None if src_len is None else length_mask(src_len, outputs.shape[1])
        return AttentionState(outputs, lstm, (self.attention.project_keys(outputs), mask))

    def read(self, tgt_in: Tensor, state: AttentionState) -> tuple[Tensor, Tensor, AttentionState]:
        embedded = self._embed(tgt_in)  # (B, T, E)
        if self.query == "after":
            outputs, contexts, weights, lstm = self._attend_after(embedded, state)
        elif type(self.attention) is AdditiveAttention and self._is_plain(tgt_in, state):
            found = attend_before_each_word(self.rnn, self.attention, embedded, state)
            outputs, contexts, weights, lstm = found
        else:
            outputs, contexts, weights, lstm = self._attend_before(embedded, state)
        parts = (outputs, contexts) if not isinstance(self.readout, nn.Identity) else (outputs,)
        return self._read_out(*parts), weights[:, None], state._replace(lstm=lstm)

    def _is_plain(self, tgt_in: Tensor, state: AttentionState) -> bool:
        """Whether there are words to read, a key for each query, and no dropout on the way."""
        dropout, mask = self.rnn.dropout or self.attention.dropout.p, state.keys[1]
        some = mask is None or bool(mask.any(dim=-1).all())
        return tgt_in.shape[1] > 1 and some and not (self.training and dropout)

    def _attend_before(self, embedded: Tensor, state: AttentionState) -> Attended:
        """Query, then read: each step needs the state that the step before it left."""
        values, lstm, (keys, mask) = state
        steps = []
        for word in embedded.split(1, dim=1):  # (B, 1, E)
            query = lstm[0][-1][:, None]  # (B, 1, H)
            context, weights = self.attention.attend(query, keys, values, mask)
            output, lstm = self.rnn(torch.cat((context, word), dim=-1), lstm)
            steps.append((output, context, weights))
        outputs, contexts, weights = (torch.cat(parts, dim=1) for parts in zip(*steps, strict=True))
        return outputs, contexts, weights, lstm

    def _attend_after(self, embedded: Tensor, state: AttentionState) -> Attended:
        """Read, then query: the LSTM does not wait for the context, so all steps go at once."""
        values, lstm, (keys, mask) = state
        outputs, lstm = self.rnn(embedded, lstm)  # (B, T, H)
        contexts, weights = self.attention.attend(outputs, keys, values, mask)
        return outputs, contexts, weights, lstm

    def select(self, state: AttentionState, rows: Tensor) -> AttentionState:
        keys, mask = state.keys
        keys = (keys[rows], None if mask is None else mask[rows])
        return AttentionState(state.values[rows], _select(state.lstm, rows), keys)


def build_rnn(
    src_size: int, tgt_size: int, *, bidirectional: bool, **sizes: Any
) -> tuple[RNNEncoder, RNNDecoder | RNNAttentionDecoder]:
    """An encoder and a decoder that fit together; the decoder attends if `sizes` has "attention".

    Raises:
        ValueError: unknown attention, context or query.
    """
    shared = {key: sizes[key] for key in ("embed_size", "hidden_size", "num_layers", "dropout")}
    encoder = RNNEncoder(src_size, **shared, bidirectional=bidirectional)
    if "attention" not in sizes:
        return encoder, RNNDecoder(tgt_size, **sizes)
    attention = sizes.pop("attention")
    _check_choice("attention", attention, ATTENTIONS)
    layer = ATTENTIONS[attention](sizes["hidden_size"])
    return encoder, RNNAttentionDecoder(tgt_size, attention=layer, **sizes)


def _lstm(
    input_size: int, hidden_size: int, layers: int, dropout: float, bidirectional: bool = False
) -> nn.LSTM:
    """An LSTM, batch first. PyTorch drops out between layers, and warns where there is only one."""
    between = dropout if layers > 1 else 0.0
    sizes = (input_size, hidden_size, layers)
    return nn.LSTM(*sizes, batch_first=True, dropout=between, bidirectional=bidirectional)


def _check_choice(name: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise ValueError(f"unknown {name} {value!r}; known: {', '.join(known)}")


def _mean(outputs: Tensor, lengths: Tensor | None) -> Tensor:
    """The mean of the valid outputs: (B, S, H) -> (B, 1, H)."""
    if lengths is None:
        return outputs.mean(dim=1, keepdim=True)
    mask = length_mask(lengths, outputs.shape[1]).to(outputs.dtype)  # (B, 1, S)
    return torch.bmm(mask, outputs) / lengths.to(outputs)[:, None, None]


def _select(lstm: LSTMState, rows: Tensor) -> LSTMState:
    """The given batch rows of an LSTM's state, whose batch is the second axis."""
    hidden, cell = lstm
    return hidden[:, rows], cell[:, rows]
