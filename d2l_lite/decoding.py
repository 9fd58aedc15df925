"""Greedy and beam search over whole batches, with the attention weights of every word written."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from d2l_lite.data import Pair, encode, pad, shorten
from d2l_lite.seq2seq import EncoderDecoder, IncrementalDecoder
from d2l_lite.vocab import BOS, EOS, PAD, detokenize, tokenize


class Translation(NamedTuple):
    """What `translate` found for one sentence; `<eos>` is in none of its parts."""

    source_words: list[str]
    words: list[str]
    score: float  # mean log-probability in nats of a word; <eos>, where it was written, is one
    weights: Tensor | None  # (words, source words), or None for a model without attention
    unknown: list[str]  # the source words that the model reads as <unk>

    @property
    def text(self) -> str:
        return detokenize(self.words)


class _Hypothesis(NamedTuple):
    score: float
    words: list[int]
    weights: Tensor | None


def translate(
    model: EncoderDecoder,
    sentences: Sequence[str],
    beam: int = 1,
    max_len: int | None = None,
    batch_size: int = 64,
) -> list[Translation]:
    """Translate sentences by greedy (`beam=1`) or beam search.

    Among finished translations the one of the highest mean log-probability per word wins. What
    comes out does not depend on the other sentences.

    Args:
        model: with both vocabularies; it is left in the mode (train, eval) that it was in.
        beam: how many translations are kept at each step.
        max_len: stop after this many words; by default twice the source words and ten more.

    Raises:
        ValueError: an empty sentence, one of more than `data.MAX_WORDS` words, a number below 1,
            a model without vocabularies, or a beam for a decoder that lacks `step` and `select`.
    """
    if isinstance(sentences, str):
        raise ValueError(f"give a list of sentences, not the one string {shorten(sentences)!r}")
    for name, number in (("beam", beam), ("batch_size", batch_size), ("max_len", max_len)):
        if number is not None and number < 1:
            raise ValueError(f"{name} must be at least 1, not {number}")
    decoder = driven(model.decoder, beam)
    most = 1 if isinstance(decoder, _OneByOne) else batch_size
    rows = [encode_source(model, sentence) for sentence in sentences]
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    found: dict[int, _Hypothesis] = {}
    with evaluating(model):
        for start in range(0, len(order), most):
            numbers = order[start : start + most]
            best = Search(model, decoder, beam).run([rows[i] for i in numbers], max_len)
            found.update(zip(numbers, best, strict=True))
    return [_translation(model, text, found[i]) for i, text in enumerate(sentences)]


def forced_weights(
    model: EncoderDecoder, pairs: Sequence[Pair], batch_size: int = 64, every: bool = False
) -> list[Tensor] | None:
    """The weights (target words, source words) of each pair when the decoder reads the target.

    `<eos>` is left out. None for a model without attention. Of a decoder with several attentions
    it is their mean, or with `every` each: (blocks · heads, target words, source words).
    """
    if not isinstance(model.decoder, IncrementalDecoder):
        return None  # nobody knows where its attention is
    found: list[Tensor] = []
    with evaluating(model):
        for start in range(0, len(pairs), batch_size):
            chunk = pairs[start : start + batch_size]
            src, src_len = pad([encode_source(model, pair.source) for pair in chunk])
            tgt, tgt_len = pad([[BOS, *encode(pair.target, model.tgt_vocab)] for pair in chunk])
            state = model.start(src.to(model.device), src_len.to(model.device))
            read = model.decoder.read if every else model.decoder.features
            _, weights, _ = read(tgt.to(model.device), state)
            if weights is None:
                return None
            sizes = zip(weights.cpu(), tgt_len - 1, src_len, strict=True)
            found += [rows[..., :words, :source_words] for rows, words, source_words in sizes]
    return found


@contextmanager
def evaluating(model: EncoderDecoder) -> Iterator[None]:
    """No dropout and no gradients; afterwards the model is in the mode that it was in."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


def encode_source(model: EncoderDecoder, sentence: str) -> list[int]:
    """The numbers of a sentence's words, as the model's encoder reads them.

    Raises:
        ValueError: a model without vocabularies, or a sentence that is empty or too long.
    """
    if model.src_vocab is None or model.tgt_vocab is None:
        raise ValueError("the model has no vocabularies; give them to EncoderDecoder")
    return encode(sentence, model.src_vocab)


def _translation(model: EncoderDecoder, sentence: str, best: _Hypothesis) -> Translation:
    source = tokenize(sentence)
    unknown = [word for word in source if word not in model.src_vocab]
    words = model.tgt_vocab.decode(best.words)
    return Translation(source, words, best.score, best.weights, unknown)


class _OneByOne:
    """Makes a decoder that has `forward` alone look like one with `step`, for one sentence."""

    def __init__(self, decoder):
        self.decoder = decoder

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any, None]:
        logits, state = self.decoder(tokens[:, None], state)
        return logits[:, -1], state, None

    def select(self, state: Any, rows: Tensor) -> Any:
        return state  # one sentence, one hypothesis: there is nothing to choose


def driven(decoder: Any, beam: int) -> Any:
    """`decoder`, or what stands in for it where it cannot be driven a word at a time.

    Raises:
        ValueError: more than one hypothesis for such a decoder.
    """
    if hasattr(decoder, "step") and hasattr(decoder, "select"):
        return decoder
    if beam > 1:
        raise ValueError(f"beam {beam} needs a decoder with step and select; this one has beam 1")
    return _OneByOne(decoder)


class Search:
    """Beam search for n sentences at once, K hypotheses each; greedy search is K = 1.

    A sentence is done when K of its hypotheses have been finished, or at its limit of words. It
    then leaves the batch, so that the rest goes faster.
    """

    def __init__(self, model: EncoderDecoder, decoder: Any, beam: int):
        self.model, self.decoder, self.beam = model, decoder, beam

    def run(self, rows: list[list[int]], max_len: int | None) -> list[_Hypothesis]:
        """The best hypothesis for each source row."""
        device = self.model.device
        src, src_len = (tensor.to(device) for tensor in pad(rows))
        self.lengths = [len(row) for row in rows]
        self.limits = [max_len or 2 * length + 10 for length in self.lengths]
        self.finished: list[list[_Hypothesis]] = [[] for _ in rows]
        self.open = torch.arange(len(rows))  # the sentences that go on, (n,)
        copies = torch.arange(len(rows), device=device).repeat_interleave(self.beam)
        self.state = self.decoder.select(self.model.start(src, src_len), copies)
        self.words = torch.full((len(copies), 1), BOS, device=device)  # (n · K, 1 + t)
        self.seen: Tensor | None = None  # weights of the words written, (n · K, t, S)
        # All K hypotheses are the same at first, so only one of them may grow.
        self.total = torch.full((len(rows), self.beam), -torch.inf, device=device)  # (n, K)
        self.total[:, 0] = 0.0
        while len(self.open):
            self._write_a_word()
        return [max(hypotheses, key=lambda h: h.score) for hypotheses in self.finished]

    def _write_a_word(self) -> None:
        logits, self.state, weights = self.decoder.step(self.words[:, -1], self.state)
        if self.seen is None and weights is not None:
            self.seen = weights[:, None][:, :0]
        best, parents, words = self.ways_on(logits)  # (n, 2K) each
        ends = words == EOS
        for i, k in ends[:, : self.beam].nonzero().tolist():
            self._finish(i, parents[i, k], best[i, k], ended=True)
        # Of 2K continuations at most K end the sentence: K are left to go on with.
        going_on = ends.int().argsort(dim=1, stable=True)[:, : self.beam]  # (n, K)
        self.total, parents, words = (x.gather(1, going_on) for x in (best, parents, words))
        parents = parents.flatten()
        self.words = torch.cat((self.words[parents], words.view(-1, 1)), dim=1)
        if weights is not None:
            self.seen = torch.cat((self.seen, weights[:, None]), dim=1)[parents]
        self._close(parents)

    def ways_on(self, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The 2K best ways to go on: total log-probability, row that they come from, word."""
        scores = logits.float().log_softmax(dim=-1)  # (n · K, V)
        scores[:, [PAD, BOS]] = -torch.inf
        scores = self.total[:, :, None] + scores.view(*self.total.shape, -1)  # (n, K, V)
        best, places = scores.flatten(1).topk(2 * self.beam)  # (n, 2K)
        first_row = self.beam * torch.arange(len(self.open), device=places.device)
        return best, first_row[:, None] + places // scores.shape[2], places % scores.shape[2]

    def _close(self, parents: Tensor) -> None:
        """Take the sentences that are done out of the batch; bring the state into order."""
        written = self.words.shape[1] - 1
        stays = []
        for i, sentence in enumerate(self.open.tolist()):
            if written >= self.limits[sentence]:
                for k in range(self.beam):
                    self._finish(i, i * self.beam + k, self.total[i, k], ended=False)
            done = written >= self.limits[sentence] or len(self.finished[sentence]) >= self.beam
            stays.append(not done)
        keep = torch.tensor(stays)
        rows = keep.repeat_interleave(self.beam).to(parents.device)
        self.open, self.total, self.words = self.open[keep], self.total[keep], self.words[rows]
        self.seen = None if self.seen is None else self.seen[rows]
        self.state = self.decoder.select(self.state, parents[rows])

    def _finish(self, i: int, row: int | Tensor, total: Tensor, ended: bool) -> None:
        """Put the hypothesis in `row` aside as a translation of the i-th open sentence."""
        if total == -torch.inf:
            return  # a copy that was not allowed to grow
        sentence = int(self.open[i])
        words = self.words[row, 1:].tolist()
        weights = None
        if self.seen is not None:
            weights = self.seen[row, :, : self.lengths[sentence]].cpu()
        hypothesis = _Hypothesis(total.item() / (len(words) + ended), words, weights)
        self.finished[sentence].append(hypothesis)
