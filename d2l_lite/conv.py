"""Convolutional sequence-to-sequence learning (Gehring et al. 2017): no recurrence, short windows.

Every sum of two things of one spread is scaled by √0.5, so that the spread stays.
"""

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from d2l_lite.attention import ScaledDotAttention, length_mask
from d2l_lite.seq2seq import (
    Encoder,
    IncrementalDecoder,
    PositionedEmbedding,
    check_source,
    tie,
)

SQRT_HALF = math.sqrt(0.5)


class GatedConvolution(nn.Module):
    """Dropout, a convolution over `kernel_size` words, and a gated linear unit (section 3.2).

    Half of the channels that the convolution gives are let through as far as the sigmoid of the
    other half says. Nothing is padded here: (B, T + kernel_size - 1, H) -> (B, T, H).
    """

    def __init__(self, hidden_size: int, kernel_size: int, dropout: float = 0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.conv = nn.Conv1d(hidden_size, 2 * hidden_size, kernel_size)
        # The gate halves what comes in, in the mean, hence the 4 (section 3.5).
        _spread(self.conv, 4 * (1 - dropout) / (kernel_size * hidden_size))

    def forward(self, x: Tensor) -> Tensor:
        channels = self.conv(self.dropout(x).transpose(1, 2))  # (B, 2H, T)
        return F.glu(channels, dim=1).transpose(1, 2)


class ConvEncoder(Encoder):
    """Blocks of gated convolutions over the source words, centred, padding never seen.

    Raises:
        ValueError: `kernel_size` is even: a window has then no middle.
    """

    def __init__(
        self,
        vocab_size: int,
        embed_size: int,
        hidden_size: int,
        num_layers: int,
        kernel_size: int,
        dropout: float = 0.0,
    ):
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, not {kernel_size}")
        self.embedding = PositionedEmbedding(vocab_size, embed_size, dropout)
        self.enter = _linear(embed_size, hidden_size, dropout)
        self.blocks = nn.ModuleList(
            GatedConvolution(hidden_size, kernel_size, dropout) for _ in range(num_layers)
        )
        self.leave = _linear(hidden_size, embed_size)
        self.reach = kernel_size // 2  # how far a window goes to each side

    def forward(self, src: Tensor, src_len: Tensor) -> tuple[Tensor, Tensor]:
        """src (B, S), src_len (B,) -> conved and combined (B, S, E).

        Conved says what stands around a word and is what a query looks for; combined adds the
        word itself and is what the query finds.

        Raises:
            ValueError: there is not one length a sentence, or one is not within 1 to S.
        """
        check_source(src, src_len)
        hidden = ~length_mask(src_len, src.shape[1]).transpose(1, 2)  # (B, S, 1)
        embedded = self.embedding(src)  # (B, S, E)
        x = self.enter(embedded)  # (B, S, H)
        for block in self.blocks:
            x = x.masked_fill(hidden, 0.0)  # else a window would read padding
            x = (block(F.pad(x, (0, 0, self.reach, self.reach))) + x) * SQRT_HALF
        conved = self.leave(x)  # (B, S, E)
        return conved, (conved + embedded) * SQRT_HALF


class ConvState(NamedTuple):
    """What `ConvDecoder` carries from word to word."""

    conved: Tensor  # keys, (B, S, E)
    combined: Tensor  # values, (B, S, E)
    mask: Tensor  # (B, 1, S)
    past: tuple[Tensor, ...]  # what each block read last, (B, kernel_size - 1, H)
    length: int  # words read so far


class BlockAttention(nn.Module):
    """The attention of one decoder block, with projections of its own (section 3.3).

    The query mixes the block's output with the word that was read. The context is scaled by √S:
    the mean of S independent vectors has a spread smaller by that. The paper's scores are not
    scaled, but its word vectors start with a spread of 0.1; with ours, of 1, the softmax would
    start at its ends.
    """

    def __init__(self, embed_size: int, hidden_size: int):
        super().__init__()
        self.to_query = _linear(hidden_size, embed_size)
        self.attention = ScaledDotAttention()
        self.from_context = _linear(embed_size, hidden_size)

    def forward(self, x: Tensor, embedded: Tensor, state: ConvState) -> tuple[Tensor, Tensor]:
        """x (B, T, H), embedded (B, T, E) -> (B, T, H) and the weights (B, T, S)."""
        query = (self.to_query(x) + embedded) * SQRT_HALF  # (B, T, E)
        context, weights = self.attention.attend(query, state.conved, state.combined, state.mask)
        words = state.mask.sum(dim=-1, keepdim=True).to(context.dtype)  # (B, 1, 1)
        return (x + self.from_context(context * words.sqrt())) * SQRT_HALF, weights


class ConvDecoder(IncrementalDecoder):
    """Blocks of gated convolutions over the target words so far, each with its own attention.

    A window ends at the word just read: `kernel_size - 1` zeros stand before the sentence, and
    later the last words of it, so a step gives what the whole pass gives.
    """

    def __init__(
        self,
        vocab_size: int,
        embed_size: int,
        hidden_size: int,
        num_layers: int,
        kernel_size: int,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.embedding = PositionedEmbedding(vocab_size, embed_size, dropout)
        self.enter = _linear(embed_size, hidden_size, dropout)
        self.blocks = nn.ModuleList(
            GatedConvolution(hidden_size, kernel_size, dropout) for _ in range(num_layers)
        )
        self.attentions = nn.ModuleList(
            BlockAttention(embed_size, hidden_size) for _ in range(num_layers)
        )
        self.leave = _linear(hidden_size, embed_size)
        _spread(self.leave, 1 / (hidden_size * embed_size))  # the first logits are then near 0
        self.dropout = nn.Dropout(dropout)
        self.output = tie(self.embedding)
        self.before = (kernel_size - 1, hidden_size)

    def init_state(self, enc_outputs: tuple[Tensor, Tensor], src_len: Tensor) -> ConvState:
        conved, combined = enc_outputs
        mask = length_mask(src_len, conved.shape[1])
        zeros = conved.new_zeros(len(conved), *self.before)
        return ConvState(conved, combined, mask, (zeros,) * len(self.blocks), 0)

    def read(self, tgt_in: Tensor, state: ConvState) -> tuple[Tensor, Tensor, ConvState]:
        """Features, and the weights of every block: (B, blocks, T, S)."""
        embedded = self.embedding(tgt_in, state.length)  # (B, T, E)
        x = self.enter(embedded)  # (B, T, H)
        past, seen = [], []
        for block, attend, before in zip(self.blocks, self.attentions, state.past, strict=True):
            window = torch.cat((before, x), dim=1)  # (B, kernel_size - 1 + T, H)
            past.append(window[:, x.shape[1] :])
            found, weights = attend(block(window), embedded, state)
            x = (found + x) * SQRT_HALF
            seen.append(weights)
        features = self.dropout(self.leave(x))  # (B, T, E)
        state = state._replace(past=tuple(past), length=state.length + tgt_in.shape[1])
        return features, torch.stack(seen, dim=1), state

    def select(self, state: ConvState, rows: Tensor) -> ConvState:
        conved, combined, mask, past, length = state
        past = tuple(words[rows] for words in past)
        return ConvState(conved[rows], combined[rows], mask[rows], past, length)


def build_conv(src_size: int, tgt_size: int, **sizes: Any) -> tuple[ConvEncoder, ConvDecoder]:
    """An encoder and a decoder of the same sizes."""
    return ConvEncoder(src_size, **sizes), ConvDecoder(tgt_size, **sizes)


def _linear(size: int, out: int, dropout: float = 0.0) -> nn.Linear:
    """A linear layer that keeps the spread of its input, of which `dropout` has been dropped."""
    layer = nn.Linear(size, out)
    _spread(layer, (1 - dropout) / size)
    return layer


def _spread(layer: nn.Linear | nn.Conv1d, variance: float) -> None:
    nn.init.normal_(layer.weight, std=math.sqrt(variance))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
