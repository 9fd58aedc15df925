"""Attention in sequence-to-sequence models: the helper package of the book."""

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
from d2l_lite.training import History, TrainConfig, evaluate, fit, mean_loss
from d2l_lite.source import (
    Seq2SeqAttentionDecoder,
    Seq2SeqEncoder,
    load_data_nmt,
    predict_s2s_ch9,
    train_s2s_ch9,
)
