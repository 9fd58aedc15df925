"""What every model family shares: an encoder, a decoder, and the two as one model."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from d2l_lite.attention import check_lengths, length_mask
from d2l_lite.threads import all_threads

AT_A_TIME = 1 << 20  # logits that the loss has at a time: 4 MB in float32, which a cache can hold


class Encoder(nn.Module):
    """Reads source sentences: `encoder(src, src_len) -> (outputs, state)`.

    `src` holds word numbers (B, S), `src_len` the valid lengths (B,). Ours return outputs
    (B, S, H), one vector per source position, and the state that a decoder starts from.
    """

    def forward(self, src: Tensor, src_len: Tensor) -> tuple[Tensor, Any]:
        raise NotImplementedError


class Decoder(nn.Module):
    """Writes target sentences, a word at a time or, in training, all words at once."""

    def init_state(self, enc_outputs: tuple[Tensor, Any], src_len: Tensor) -> Any:
        """The state before the first word; `enc_outputs` is all that the encoder returned."""
        raise NotImplementedError

    def forward(self, tgt_in: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Read the words `tgt_in` (B, T): the logits of the next ones (B, T, V), and the state."""
        raise NotImplementedError


class IncrementalDecoder(Decoder):
    """A decoder that search can drive and whose attention can be seen; all of ours are.

    A subclass gives `init_state`, `read`, `select` and `output`, the layer that turns features
    into logits. Keeping that layer apart lets training compute logits where they count alone.
    """

    output: nn.Module

    def read(self, tgt_in: Tensor, state: Any) -> tuple[Tensor, Tensor | None, Any]:
        """Read `tgt_in` (B, T): features (B, T, D), weights (B, A, T, S) or None, and the state.

        A is the number of attentions to the source: one, or one for each block or head.
        """
        raise NotImplementedError

    def features(self, tgt_in: Tensor, state: Any) -> tuple[Tensor, Tensor | None, Any]:
        """As `read`, with the mean of all attentions' weights: (B, T, S) or None."""
        features, weights, state = self.read(tgt_in, state)
        return features, None if weights is None else weights.mean(dim=1), state

    def select(self, state: Any, rows: Tensor) -> Any:
        """The state of the given batch rows, in that order; a row may occur more than once."""
        raise NotImplementedError

    def forward(self, tgt_in: Tensor, state: Any) -> tuple[Tensor, Any]:
        features, _, state = self.read(tgt_in, state)
        return self.output(features), state

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any, Tensor | None]:
        """Read one word per sentence, (B,): logits (B, V), the state, weights (B, S) or None."""
        features, weights, state = self.features(tokens[:, None], state)
        return self.output(features[:, 0]), state, None if weights is None else weights[:, 0]


class PositionedEmbedding(nn.Module):
    """Word vectors that know where they stand, for encoders that read all words at once.

    A word's vector, scaled to a spread of about 1, and the sinusoids of its position are added
    (Vaswani et al. 2017, sections 3.4 and 3.5). No sentence is too long for a formula.
    """

    def __init__(self, vocab_size: int, embed_size: int, dropout: float = 0.0):
        super().__init__()
        self.words = nn.Embedding(vocab_size, embed_size)
        nn.init.normal_(self.words.weight, std=embed_size**-0.5)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, start: int = 0) -> Tensor:
        """The vectors (B, T, E) of tokens (B, T), the first of which has the position `start`."""
        size = self.words.embedding_dim
        positions = torch.arange(start, start + tokens.shape[1], device=tokens.device)
        words = self.words(tokens) * math.sqrt(size)
        return self.dropout(words + sinusoids(positions, size).to(words.dtype))


def sinusoids(positions: Tensor, size: int) -> Tensor:
    """Sines and cosines of positions (T,), in turn, ever slower along the row: (T, size).

    Entry 2i is sin(p / 10000^(2i / size)), entry 2i + 1 the cosine (Vaswani et al. 2017, 3.5).
    """
    rates = 10000 ** (-torch.arange(0, size, 2, device=positions.device) / size)
    angles = positions[:, None] * rates  # (T, size / 2, rounded up)
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)[:, :size]


def tie(embedding: PositionedEmbedding) -> nn.Linear:
    """A layer that scores words with the vectors that they are read with (Press and Wolf 2017)."""
    vocab_size, embed_size = embedding.words.weight.shape
    output = nn.Linear(embed_size, vocab_size)
    output.weight = embedding.words.weight
    nn.init.zeros_(output.bias)
    return output


def check_source(src: Tensor, src_len: Tensor) -> None:
    """Raise a ValueError unless there is one length for each sentence, from 1 to S."""
    if src_len.shape != src.shape[:1]:
        raise ValueError(f"lengths of shape {tuple(src_len.shape)} for {len(src)} sentences")
    check_lengths(src_len, src.shape[1], least=1)


class EncoderDecoder(nn.Module):
    """An encoder and a decoder as one model, with the vocabularies that it was made for.

    `model(src, tgt_in, src_len) -> (logits, state)`, shapes as in `Encoder` and `Decoder`.
    The vocabularies may be left out by whoever needs neither `translate` nor `save_run`; `config`
    says how `build_model` would build the model again, None for one put together by hand.
    """

    config: dict[str, Any] | None = None
    encoder: Any  # modules, and often as `Encoder` and `Decoder` say,
    decoder: Any  # but a reader's own need not derive from these

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, src_vocab: Any = None, tgt_vocab: Any = None
    ):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.src_vocab = src_vocab
        self.tgt_vocab = tgt_vocab

    def forward(self, src: Tensor, tgt_in: Tensor, src_len: Tensor) -> tuple[Tensor, Any]:
        return self.decoder(tgt_in, self.start(src, src_len))

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    def start(self, src: Tensor, src_len: Tensor) -> Any:
        """The decoder's state before the first word of each translation."""
        return self.decoder.init_state(self.encoder(src, src_len), src_len)

    def loss(self, batch: tuple[Tensor, Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Teacher-forced cross-entropy of a batch.

        Args:
            batch: src (B, S), src_len (B,), tgt (B, 1 + T), tgt_len (B,); the target rows begin
                with `<bos>`, and their lengths count it. Padding counts for nothing.

        Returns:
            The summed cross-entropy in nats and the number of target words that it sums over
            (`<eos>` is one of them), both as tensors of one number.

        Raises:
            ValueError: the four differ in B, or a length does not fit its row.
        """
        src, src_len, tgt, tgt_len = batch
        if len({len(part) for part in batch}) > 1:
            raise ValueError(f"a batch of {[len(part) for part in batch]} rows in its four parts")
        tgt_in, tgt_out = tgt[:, :-1], tgt[:, 1:]  # (B, T) each
        counted = length_mask(tgt_len - 1, tgt_out.shape[1])[:, 0]  # (B, T)
        state = self.start(src, src_len)
        # Only where `forward` is ours is it known to be no more than these two.
        if getattr(type(self.decoder), "forward", None) is IncrementalDecoder.forward:
            features = self.decoder.read(tgt_in, state)[0][counted]  # (words, D)
            summed = summed_cross_entropy(features, self.decoder.output, tgt_out[counted])
        else:
            logits = self.decoder(tgt_in, state)[0][counted]  # (words, V)
            summed = F.cross_entropy(logits, tgt_out[counted], reduction="sum")
        return summed, counted.sum()


def summed_cross_entropy(features: Tensor, output: nn.Module, words: Tensor) -> Tensor:
    """Of the words (n,), when `output` turns features (n, D) into logits: one number, in nats."""
    if type(output) is nn.Linear and output.bias is not None and torch.is_grad_enabled():
        with all_threads():
            return _CrossEntropy.apply(features, output.weight, output.bias, words)
    return F.cross_entropy(output(features), words, reduction="sum")


class _CrossEntropy(torch.autograd.Function):
    """Summed cross-entropy of a linear layer's logits; its gradients are formed along with it.

    The gradient of a logit is its probability, less 1 for the right word. So the logits become
    probabilities and then gradients in one place, a chunk of rows at a time, and none are kept.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, words: Tensor) -> Tensor:
        d_features, d_bias = torch.empty_like(features), torch.zeros_like(bias)
        d_weight = weight.new_zeros(weight.shape[::-1])  # (D, V)
        summed, rows = features.new_zeros(()), max(1, AT_A_TIME // len(weight))
        parts = (features, words[:, None], d_features)
        for x, word, d_x in zip(*(part.split(rows) for part in parts), strict=True):
            logits = _product(x, weight, bias)  # (rows, V)
            right, highest = logits.gather(1, word), logits.amax(1, keepdim=True)
            slopes = torch.softmax(logits, 1, out=logits)
            # The highest logit tells what has been subtracted from all: its probability is not 0.
            summed += (highest - slopes.amax(1, keepdim=True).log() - right).sum()
            slopes.scatter_add_(1, word, torch.full_like(right, -1))
            d_x.copy_(_product(slopes, weight.t()))
            d_weight += _product(x.t(), slopes.t())
            d_bias += slopes.sum(0)
        ctx.save_for_backward(d_features, d_weight.t(), d_bias)
        return summed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_summed: Tensor) -> tuple[Tensor | None, ...]:
        return *(d_summed * gradient for gradient in ctx.saved_tensors), None


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`F.linear`, on a processor by oneDNN where PyTorch has it.

    PyTorch hands matrix products to MKL, which uses half the width of an AMD processor; oneDNN,
    which it has for LSTMs and convolutions, uses all of it.
    """
    product = _by_onednn()
    if product is None or x.device.type != "cpu" or x.dtype != torch.float32 or not x.numel():
        return F.linear(x, weight, bias)
    return product(x, weight, bias, "none", [], "")


@cache
def _by_onednn() -> Callable[..., Tensor] | None:
    """The operator that PyTorch has for it, where it is as we know it: it is not documented."""
    try:
        product = torch.ops.mkldnn._linear_pointwise
        product(torch.ones(1, 2), torch.ones(3, 2), torch.ones(3), "none", [], "")
    except (AttributeError, RuntimeError, TypeError):
        return None
    return product
