"""The Transformer (Vaswani et al. 2017): attention alone, many heads at a time.

Blocks normalise what they read, not what they return ("pre-norm", Xiong et al. 2020): what goes
past a block is never touched, and training needs no special care.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from d2l_lite.attention import ScaledDotAttention, causal_mask, length_mask
from d2l_lite.seq2seq import (
    Encoder,
    IncrementalDecoder,
    PositionedEmbedding,
    check_source,
    tie,
)

Heads = tuple[Tensor, Tensor]  # projected keys and values, (B, N, S, D / N) each


class MultiHeadAttention(nn.Module):
    """N scaled dot-product attentions side by side, each in a space of its own (section 3.2.2).

    Raises:
        ValueError: `num_heads` is below 1 or does not divide `width`.
    """

    def __init__(self, width: int, num_heads: int, dropout: float = 0.0):
        super().__init__()
        if num_heads < 1 or width % num_heads:
            raise ValueError(f"{num_heads} heads cannot share a width of {width}")
        self.num_heads = num_heads
        self.W_q, self.W_k, self.W_v, self.W_o = (nn.Linear(width, width) for _ in range(4))
        self.attention = ScaledDotAttention(dropout)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Attend with all heads.

        Args:
            query: (B, T, D). key, value: (B, S, D).
            valid: a mask, (B, 1, S), (B, T, S) or (T, S), or valid lengths (B,) or (B, T), or None.

        Returns:
            The contexts, mixed by W_o, (B, T, D), and the weights of each head (B, N, T, S).

        Raises:
            ValueError: the shapes do not fit together.
        """
        shapes = [tuple(part.shape) for part in (query, key, value)]
        width, fit = self.W_q.in_features, shapes[1] == shapes[2] and len(query) == len(key)
        if not (fit and all(len(shape) == 3 and shape[2] == width for shape in shapes)):
            raise ValueError(
                f"query, key and value must be (B, T, {width}), (B, S, {width}) and "
                f"(B, S, {width}), not {shapes[0]}, {shapes[1]} and {shapes[2]}"
            )
        return self.attend(query, self.project(key, value), valid)

    def project(self, key: Tensor, value: Tensor) -> Heads:
        """Keys and values (B, S, D) as every head sees them."""
        return self._split(self.W_k(key)), self._split(self.W_v(value))

    def attend(
        self, query: Tensor, heads: Heads, valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """`forward` for keys and values that `project` has already seen."""
        # The heads of a sentence are further sentences to the attention layer.
        query, keys, values = (
            part.flatten(0, 1) for part in (self._split(self.W_q(query)), *heads)
        )  # (B · N, T or S, D / N)
        if valid is not None and (valid.dim() == 3 or valid.dtype != torch.bool):
            valid = valid.repeat_interleave(self.num_heads, dim=0)
        contexts, weights = self.attention.attend(query, keys, values, valid)
        contexts, weights = (x.unflatten(0, (-1, self.num_heads)) for x in (contexts, weights))
        return self.W_o(contexts.transpose(1, 2).flatten(2)), weights

    def _split(self, x: Tensor) -> Tensor:
        """(B, S, D) -> (B, N, S, D / N)."""
        return x.unflatten(2, (self.num_heads, -1)).transpose(1, 2)


class FeedForward(nn.Sequential):
    """Two layers that see one position at a time: D -> feed_forward_size -> D (section 3.3)."""

    def __init__(self, width: int, feed_forward_size: int, dropout: float = 0.0):
        super().__init__(
            nn.Linear(width, feed_forward_size),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(feed_forward_size, width),
        )


class EncoderBlock(nn.Module):
    """Self-attention, then the feed-forward layers, each added to what it read."""

    def __init__(self, width: int, num_heads: int, feed_forward_size: int, dropout: float = 0.0):
        super().__init__()
        self.attention = MultiHeadAttention(width, num_heads, dropout)
        self.feed_forward = FeedForward(width, feed_forward_size, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, S, D), mask (B, 1, S) -> (B, S, D) and the weights (B, N, S, S)."""
        read = self.norms[0](x)
        found, weights = self.attention(read, read, read, mask)
        x = x + self.dropout(found)
        return x + self.dropout(self.feed_forward(self.norms[1](x))), weights


class TransformerEncoder(Encoder):
    """Self-attention over the source words."""

    def __init__(
        self,
        vocab_size: int,
        width: int,
        num_heads: int,
        feed_forward_size: int,
        num_layers: int,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.embedding = PositionedEmbedding(vocab_size, width, dropout)
        self.blocks = nn.ModuleList(
            EncoderBlock(width, num_heads, feed_forward_size, dropout) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, src: Tensor, src_len: Tensor) -> tuple[Tensor, None]:
        """src (B, S), src_len (B,) -> outputs (B, S, D), and None: there is no other state.

        Raises:
            ValueError: there is not one length a sentence, or one is not within 1 to S.
        """
        check_source(src, src_len)
        mask = length_mask(src_len, src.shape[1])  # (B, 1, S)
        x = self.embedding(src)  # (B, S, D)
        for block in self.blocks:
            x, _ = block(x, mask)
        return self.norm(x), None


class DecoderBlock(nn.Module):
    """Masked self-attention, attention to the source, and the feed-forward layers."""

    def __init__(self, width: int, num_heads: int, feed_forward_size: int, dropout: float = 0.0):
        super().__init__()
        self.self_attention = MultiHeadAttention(width, num_heads, dropout)
        self.attention = MultiHeadAttention(width, num_heads, dropout)
        self.feed_forward = FeedForward(width, feed_forward_size, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, past: Heads, source: Heads, mask: Tensor
    ) -> tuple[Tensor, Heads, Tensor]:
        """Read T words after t others: x (B, T, D), `past` with t positions, `source` with S.

        Returns:
            The output (B, T, D), the keys and values of all t + T words, which the next step
            needs, and the weights over the source (B, N, T, S).
        """
        read = self.norms[0](x)
        new = self.self_attention.project(read, read)
        keys, values = (torch.cat(parts, dim=2) for parts in zip(past, new, strict=True))
        past, words, reading = (keys, values), keys.shape[2], x.shape[1]
        earlier = causal_mask(words, x.device, first=words - reading)  # (T, t + T)
        x = x + self.dropout(self.self_attention.attend(read, past, earlier)[0])
        found, weights = self.attention.attend(self.norms[1](x), source, mask)
        x = x + self.dropout(found)
        return x + self.dropout(self.feed_forward(self.norms[2](x))), past, weights


class TransformerState(NamedTuple):
    """What `TransformerDecoder` carries from word to word; a pair for each block."""

    source: tuple[Heads, ...]  # keys and values of the source words
    mask: Tensor  # (B, 1, S)
    past: tuple[Heads, ...]  # keys and values of the target words read so far


class TransformerDecoder(IncrementalDecoder):
    """Attention to the target words so far and to the source, block after block."""

    blocks: Any  # a list of `DecoderBlock`, which PyTorch takes for any modules

    def __init__(
        self,
        vocab_size: int,
        width: int,
        num_heads: int,
        feed_forward_size: int,
        num_layers: int,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.embedding = PositionedEmbedding(vocab_size, width, dropout)
        self.blocks = nn.ModuleList(
            DecoderBlock(width, num_heads, feed_forward_size, dropout) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(width)
        nn.init.constant_(self.norm.weight, width**-0.5)  # the first logits are then near 0
        self.dropout = nn.Dropout(dropout)
        self.output = tie(self.embedding)

    def init_state(self, enc_outputs: tuple[Tensor, None], src_len: Tensor) -> TransformerState:
        outputs, _ = enc_outputs
        source = tuple(block.attention.project(outputs, outputs) for block in self.blocks)
        nothing = tuple((keys[:, :, :0], values[:, :, :0]) for keys, values in source)
        return TransformerState(source, length_mask(src_len, outputs.shape[1]), nothing)

    def read(
        self, tgt_in: Tensor, state: TransformerState
    ) -> tuple[Tensor, Tensor, TransformerState]:
        """Features, and the weights of every head of every block: (B, blocks · N, T, S)."""
        x = self.embedding(tgt_in, start=state.past[0][0].shape[2])  # (B, T, D)
        pasts, seen = [], []
        for block, past, source in zip(self.blocks, state.past, state.source, strict=True):
            x, past, weights = block(x, past, source, state.mask)
            pasts.append(past)
            seen.append(weights)
        features = self.dropout(self.norm(x))
        return features, torch.cat(seen, dim=1), state._replace(past=tuple(pasts))

    def select(self, state: TransformerState, rows: Tensor) -> TransformerState:
        source, mask, past = state
        return TransformerState(_select(source, rows), mask[rows], _select(past, rows))


def build_transformer(
    src_size: int, tgt_size: int, **sizes: Any
) -> tuple[TransformerEncoder, TransformerDecoder]:
    """An encoder and a decoder of the same sizes."""
    return TransformerEncoder(src_size, **sizes), TransformerDecoder(tgt_size, **sizes)


def _select(blocks: tuple[Heads, ...], rows: Tensor) -> tuple[Heads, ...]:
    return tuple((keys[rows], values[rows]) for keys, values in blocks)
