"""The source text's names: its classes plug in, ours print its shapes."""

import ast
import contextlib
import io
import os
import re
from pathlib import Path

import pytest
import torch
from small import PAIRS, PlainDecoder, PlainEncoder
from torch.testing import assert_close

import d2l_lite as d2l
from d2l_lite import BOS, EOS, PAD, UNK

SIZES = {"vocab_size": 10, "embed_size": 8, "num_hiddens": 16, "num_layers": 2}
ENCODERS = [PlainEncoder, d2l.Seq2SeqEncoder]
DECODERS = [PlainDecoder, d2l.Seq2SeqAttentionDecoder]


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "numbers.txt"
    lines = (f"{pair.source}\t{pair.target}\tmore\n" for pair in PAIRS)
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("decoder", DECODERS)
def test_sizes_are_those_that_the_text_prints(encoder, decoder):
    """Four sentences of seven words: 4 × 7 × 10 logits; memory 4 × 7 × 16; two layers of 4 × 16."""
    encoder, decoder = encoder(**SIZES), decoder(**SIZES)
    X = torch.zeros((4, 7), dtype=torch.long)
    outputs, (hidden, cell) = encoder(X)
    assert outputs.shape == (7, 4, 16)
    assert hidden.shape == cell.shape == (2, 4, 16)
    state = decoder.init_state(encoder(X), None)
    out, state = decoder(X, state)
    assert out.shape == (4, 7, 10)
    assert (len(state), state[0].shape) == (3, (4, 7, 16))
    assert (len(state[1]), state[1][0].shape) == (2, (2, 4, 16))


def test_lengths_may_be_left_out_and_hide_the_padding_where_they_are_given():
    encoder, decoder = d2l.Seq2SeqEncoder(**SIZES), d2l.Seq2SeqAttentionDecoder(**SIZES)
    src, tgt = torch.tensor([[4, 5, 6], [7, 8, PAD]]), torch.tensor([[1, 4], [1, 5]])
    assert_close(encoder(src), encoder(src, torch.tensor([3, 3])))
    model = d2l.EncoderDecoder(encoder, decoder)
    padded, _ = model(src, tgt, torch.tensor([3, 2]))
    alone, _ = model(src[1:, :2], tgt[1:], torch.tensor([2]))
    assert_close(padded[1:], alone)


def test_arguments_go_by_place_and_dropout_is_taken():
    for kind in (d2l.Seq2SeqEncoder, d2l.Seq2SeqAttentionDecoder):
        layer = kind(10, 8, 16, 2, 0.25)
        assert (layer.rnn.num_layers, layer.rnn.hidden_size, layer.rnn.dropout) == (2, 16, 0.25)
        assert layer.embedding.weight.shape == (10, 8)


def test_data_come_in_batches_of_four(corpus):
    src_vocab, tgt_vocab, batches = d2l.load_data_nmt(corpus, 64, 10, 100)
    assert [len(batch[0]) for batch in batches] == [64, 36]
    lines = set()
    for src, src_len, tgt, tgt_len in batches:
        for row, size, out, out_size in zip(src, src_len, tgt, tgt_len, strict=True):
            assert (out[0], out[out_size - 1]) == (BOS, EOS)
            assert (row[size:] == PAD).all() and (out[out_size:] == PAD).all()
            words = src_vocab.decode(row[:size]), tgt_vocab.decode(out[1 : out_size - 1])
            lines.add(tuple(map(" ".join, words)))
    assert lines == {(pair.source, pair.target) for pair in PAIRS[:100]}


def test_rows_are_cut_where_the_text_cuts_them(tmp_path):
    """At max_len numbers, <bos> among them: of five words and <eos> the last two go."""
    path = tmp_path / "one.txt"
    path.write_text("a b c d e\tv w x y z\n" * 3, encoding="utf-8")
    src_vocab, tgt_vocab, batches = d2l.load_data_nmt(path, 1, 4, 1)
    # Seen once: every word is unknown, for a word counts from the third time on.
    (batch,) = batches
    assert batch.src.tolist() == [[UNK] * 4]
    assert batch.tgt.tolist() == [[BOS, UNK, UNK, UNK]]
    assert (batch.src_len.tolist(), batch.tgt_len.tolist()) == ([4], [4])
    src_vocab, tgt_vocab, batches = d2l.load_data_nmt(str(path), 2, 4)
    src, _, tgt, _ = next(iter(batches))
    assert src_vocab.decode(src[0]) == ["a", "b", "c", "d"]
    assert tgt_vocab.decode(tgt[1]) == ["<bos>", "v", "w", "x"]


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("decoder", DECODERS)
def test_training_and_prediction_take_the_texts_classes_and_ours(encoder, decoder, corpus, capsys):
    device = d2l.try_gpu()
    src_vocab, tgt_vocab, batches = d2l.load_data_nmt(corpus, 16, 10)
    model = d2l.EncoderDecoder(
        encoder(len(src_vocab), 16, 24, 1), decoder(len(tgt_vocab), 16, 24, 1)
    )
    assert d2l.train_s2s_ch9(model, batches, 0.01, 10, device) is None
    printed = capsys.readouterr().out
    assert float(re.search(r"loss (\d+\.\d+)", printed)[1]) < 0.5
    assert str(device) in printed

    def predict(sentence, max_len=10):
        return d2l.predict_s2s_ch9(model, sentence, src_vocab, tgt_vocab, max_len, device)

    found = [predict(pair.source) for pair in PAIRS[::10]]
    assert sum(f == p.target for f, p in zip(found, PAIRS[::10], strict=True)) > len(found) / 2
    assert len(predict("one two three", max_len=1).split()) == 1
    assert isinstance(predict("One hundred"), str)
    with pytest.raises(ValueError, match="no word"):
        predict("")


# The text's own blocks are not ours to copy; they are read where the text is.
TEXT = Path(os.environ.get("D2L_LITE_SOURCE", ""), "000_ba4d3aa15c0848a3.md")
needs_text = pytest.mark.skipif(
    not TEXT.is_file(), reason="D2L_LITE_SOURCE names no folder with the source text"
)


def run_block(code, names):
    """Run a block as a notebook's cell: the value of its last line."""
    body = ast.parse(code).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "block", "exec"), names)
    return eval(compile(ast.Expression(last.value), "block", "eval"), names) if last else None


@needs_text
def test_the_texts_blocks_run_unchanged(corpus):
    """But for the path and the number of epochs. A block that begins like a tensor is an output."""
    blocks = re.findall(r"```(?:python)?\n(.*?)```", TEXT.read_text(encoding="utf-8"), re.S)
    blocks = [b for b in blocks if not b.lstrip().startswith(("tensor(", "batch size="))]
    blocks[-1] = re.sub(
        r'path_txt = ".*?fra\.txt"', f"path_txt = {str(corpus)!r}", blocks[-1], flags=re.S
    )
    blocks[-1] = blocks[-1].replace("0.005, 500", "0.005, 2")
    assert str(corpus) in blocks[-1] and "0.005, 2," in blocks[-1]
    names, said = {"d2l": d2l}, io.StringIO()
    with contextlib.redirect_stdout(said):
        values = [run_block(block, names) for block in blocks]
    weights, product, _, dot, _, additive, _, shapes, _ = values
    assert (weights[0, :, 2:] == 0).all() and (weights[1, :, 3:] == 0).all()
    assert_close(product, torch.full((2, 1, 2), 3.0))
    expected = torch.tensor([[[2.0, 3, 4, 5]], [[10.0, 11, 12, 13]]])
    assert_close(dot, expected)
    assert_close(additive, expected)
    assert shapes == ((4, 7, 10), 3, (4, 7, 16), 2, (2, 4, 16))
    for sentence in ("Go .", "Good Night !", "I'm OK .", "I won !"):
        assert f"{sentence} => " in said.getvalue()
