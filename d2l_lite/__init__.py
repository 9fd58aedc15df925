"""Attention in sequence-to-sequence models: the helper package of the book."""

__version__ = "0.1.0"

from d2l_lite.vocab import BOS, EOS, PAD, UNK, Vocab, detokenize, tokenize
from d2l_lite.attention import (
    AdditiveAttention,
    Attention,
    BilinearAttention,
    DotAttention,
    ScaledDotAttention,
    causal_mask,
    length_mask,
    masked_softmax,
)
from d2l_lite.seq2seq import (
    Decoder,
    Encoder,
    EncoderDecoder,
    IncrementalDecoder,
    PositionedEmbedding,
    sinusoids,
)
from d2l_lite.metrics import (
    alignment_error_rate,
    alignment_score,
    bleu,
    exact_match,
    perplexity,
    wilson_interval,
)
from d2l_lite.plot import ROLES, curves, heatmap, use_style
from d2l_lite.bookfiles import book_file
from d2l_lite.data import (
    Batch,
    Batches,
    Pair,
    Split,
    build_vocabs,
    find_fra_eng,
    load_pairs,
    normalize,
    split_of,
    split_pairs,
)
from d2l_lite.rnn import RNNAttentionDecoder, RNNDecoder, RNNEncoder
from d2l_lite.conv import ConvDecoder, ConvEncoder, GatedConvolution
from d2l_lite.transformer import MultiHeadAttention, TransformerDecoder, TransformerEncoder
from d2l_lite.models import build_model, recipe
from d2l_lite.decoding import Translation, forced_weights, translate
from d2l_lite.runs import Run, load_run, save_run, try_gpu
from d2l_lite.evaluation import evaluate, mean_loss
from d2l_lite.training import History, TrainConfig, fit
from d2l_lite.source import (
    Seq2SeqAttentionDecoder,
    Seq2SeqEncoder,
    load_data_nmt,
    predict_s2s_ch9,
    train_s2s_ch9,
)

# What a type checker, and `import *`, may take from here: all of the above.
__all__ = [
    "BOS", "EOS", "PAD", "ROLES", "UNK", "AdditiveAttention", "Attention", "Batch", "Batches",
    "BilinearAttention", "ConvDecoder", "ConvEncoder", "Decoder", "DotAttention", "Encoder",
    "EncoderDecoder", "GatedConvolution", "History", "IncrementalDecoder", "MultiHeadAttention",
    "Pair", "PositionedEmbedding", "RNNAttentionDecoder", "RNNDecoder", "RNNEncoder", "Run",
    "ScaledDotAttention", "Seq2SeqAttentionDecoder", "Seq2SeqEncoder", "Split", "TrainConfig",
    "TransformerDecoder", "TransformerEncoder", "Translation", "Vocab", "alignment_error_rate",
    "alignment_score", "bleu", "book_file", "build_model", "build_vocabs", "causal_mask",
    "curves", "detokenize", "evaluate", "exact_match", "find_fra_eng", "fit", "forced_weights",
    "heatmap", "length_mask", "load_data_nmt", "load_pairs", "load_run", "masked_softmax",
    "mean_loss", "normalize", "perplexity", "predict_s2s_ch9", "recipe", "save_run",
    "sinusoids", "split_of", "split_pairs", "tokenize", "train_s2s_ch9", "translate", "try_gpu",
    "use_style", "wilson_interval",
]  # fmt: skip
