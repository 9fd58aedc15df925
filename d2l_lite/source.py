"""The names and signatures that the source text uses, so that its code runs on this package.

Three things differ from the rest of the package, as there: the encoder's outputs are time-first,
rows are cut at `max_len` words, and a translation is a plain string.
"""

import os
from copy import copy

import torch
from torch import Tensor

from d2l_lite.attention import AdditiveAttention
from d2l_lite.data import Batches, build_vocabs, load_pairs
from d2l_lite.decoding import translate
from d2l_lite.rnn import AttentionState, RNNAttentionDecoder, RNNEncoder
from d2l_lite.seq2seq import EncoderDecoder
from d2l_lite.training import TrainConfig, fit
from d2l_lite.unrolled import LSTMState
from d2l_lite.vocab import Vocab


def load_data_nmt(
    path: str | os.PathLike[str], batch_size: int, max_len: int, num_examples: int | None = None
) -> tuple[Vocab, Vocab, Batches]:
    """Both vocabularies and the training batches of the first `num_examples` lines of a file.

    Rows are cut at `max_len` numbers; a target row begins with `<bos>` and, where it has not been
    cut, ends with `<eos>`. Words seen fewer than three times become `<unk>`. Nothing is held out.
    """
    pairs = load_pairs(path, num_examples)
    src_vocab, tgt_vocab = build_vocabs(pairs, min_count=3)
    batches = Batches(pairs, src_vocab, tgt_vocab, batch_size, group=False, cut=max_len)
    return src_vocab, tgt_vocab, batches


class Seq2SeqEncoder(RNNEncoder):
    """`RNNEncoder` with outputs (S, B, H); the valid lengths may be left out."""

    def __init__(
        self,
        vocab_size: int,
        embed_size: int,
        num_hiddens: int,
        num_layers: int,
        dropout: float = 0,
    ):
        super().__init__(vocab_size, embed_size, num_hiddens, num_layers, dropout)

    def forward(self, src: Tensor, src_len: Tensor | None = None) -> tuple[Tensor, LSTMState]:
        if src_len is None:
            src_len = torch.full((len(src),), src.shape[1])
        outputs, state = super().forward(src, src_len)
        return outputs.transpose(0, 1), state


class Seq2SeqAttentionDecoder(RNNAttentionDecoder):
    """`RNNAttentionDecoder` with additive attention, tanh included; it takes outputs (S, B, H)."""

    def __init__(
        self,
        vocab_size: int,
        embed_size: int,
        num_hiddens: int,
        num_layers: int,
        dropout: float = 0,
    ):
        attention = AdditiveAttention(num_hiddens, num_hiddens, num_hiddens, dropout)
        super().__init__(vocab_size, embed_size, num_hiddens, attention, num_layers, dropout)

    def init_state(
        self, enc_outputs: tuple[Tensor, LSTMState], src_len: Tensor | None = None
    ) -> AttentionState:
        outputs, lstm = enc_outputs
        return super().init_state((outputs.transpose(0, 1), lstm), src_len)


def train_s2s_ch9(
    model: EncoderDecoder,
    data_iter: Batches,
    lr: float,
    num_epochs: int,
    device: torch.device | str,
) -> None:
    """Train with Adam at a constant rate, gradients clipped at 5, and print the loss.

    The loss is per target word, not the source text's mean over the padded length. Sentences of
    one length come together in a batch, in whatever order `data_iter` gives them: no padding then.
    """
    if isinstance(data_iter, Batches):
        data_iter = copy(data_iter)
        data_iter.group = True
    config = TrainConfig(
        epochs=num_epochs, lr=lr, schedule="constant", clip=5.0, device=str(device)
    )
    last = fit(model, data_iter, config)[-1]
    print(
        f"loss {last['train_loss']:.3f} a word, {last['tokens_per_second']:.0f} words/s on {device}"
    )


def predict_s2s_ch9(
    model: EncoderDecoder,
    src_sentence: str,
    src_vocab: Vocab,
    tgt_vocab: Vocab,
    max_len: int,
    device: torch.device | str,
) -> str:
    """The greedy translation of one sentence, at most `max_len` words, joined by spaces."""
    model.to(device)
    model.src_vocab, model.tgt_vocab = src_vocab, tgt_vocab
    return " ".join(translate(model, [src_sentence], max_len=max_len)[0].words)
