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
    batch_size: int = 512,
) -> list[Translation]:
    """Translate sentences by greedy (`beam=1`) or beam search.

    Among finished translations the one of the highest mean log-probability per word wins. What
    comes out does not depend on the other sentences.

    Args:
        model: with both vocabularies; it is left in the mode (train, eval) that it was in.
        beam: how many translations are kept at each step.
        max_len: stop after this many words; by default twice the source words and ten more.
        batch_size: translations that are written at a time, `beam` of them for a sentence.

    Raises:
        ValueError: an empty sentence, one of more than `data.MAX_WORDS` words, a number below 1,
            a model without vocabularies, or a beam for a decoder that lacks `step` and `select`.
    """
    if isinstance(sentences, str):
        raise ValueError(f"give a list of sentences, not the one string {shorten(sentences)!r}")
    sentences = list(sentences)
    for name, number in (("beam", beam), ("batch_size", batch_size), ("max_len", max_len)):
        if number is not None and number < 1:
            raise ValueError(f"{name} must be at least 1, not {number}")
    decoder = driven(model.decoder, beam)
    most = 1 if isinstance(decoder, _OneByOne) else max(1, batch_size // beam)
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
    """No dropout and no gradients; afterwards each part is in the mode that it was in."""
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, mode in modes:
            part.training = mode


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

    def __init__(self, decoder: Any):
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
        self.limits = [max_len or 2 * len(row) + 10 for row in rows]
        self.limit = torch.tensor(self.limits, device=device)  # of the sentences that go on, (n,)
        self.open = torch.arange(len(rows), device=device)  # their numbers, (n,)
        self.best = torch.full((len(rows),), -torch.inf, device=device)  # scores so far, (n,)
        self.count = torch.zeros_like(self.open)  # hypotheses finished, (n,)
        self.found: list[tuple[Tensor, Tensor, Tensor, Tensor | None]] = []  # see _finish
        copies = self.open.repeat_interleave(self.beam)
        self.state = self.decoder.select(self.model.start(src, src_len), copies)
        self.words = torch.full((len(copies), 1), BOS, device=device)  # (n · K, 1 + t)
        self.seen: Tensor | None = None  # weights of the words written, (n · K, t, S)
        # All K hypotheses are the same at first, so only one of them may grow.
        self.total = torch.full((len(rows), self.beam), -torch.inf, device=device)  # (n, K)
        self.total[:, 0] = 0.0
        while len(self.open):
            self._write_a_word()
        return self._winners([len(row) for row in rows])

    def _write_a_word(self) -> None:
        logits, self.state, weights = self.decoder.step(self.words[:, -1], self.state)
        if self.seen is None and weights is not None:
            self.seen = weights[:, None][:, :0]
        best, parents, words = self.ways_on(logits)  # (n, 2K or 1) each, the best first
        written = self.words.shape[1]  # <eos>, where it is the word, is one
        ends = words == EOS
        self._finish(best[:, : self.beam] / written, parents, ends[:, : self.beam])
        # Of 2K continuations at most K end the sentence: K are left to go on with.
        going_on = ends.int().argsort(dim=1, stable=True)[:, : self.beam]  # (n, K)
        self.total, parents, words = (x.gather(1, going_on) for x in (best, parents, words))
        parents = parents.flatten()
        self.words = torch.cat((self.words[parents], words.view(-1, 1)), dim=1)
        if self.seen is not None and weights is not None:
            self.seen = torch.cat((self.seen, weights[:, None]), dim=1)[parents]
        at_limit = self.limit <= written
        rows = torch.arange(len(parents), device=parents.device).view_as(self.total)
        self._finish(self.total / written, rows, at_limit[:, None].expand_as(rows))
        self._close(at_limit | (self.count >= self.beam), parents)

    def ways_on(self, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The 2K best ways to go on (or, if K is 1, the best): total log-probability, row, word."""
        scores = logits.float().log_softmax(dim=-1)  # (n · K, V)
        scores[:, [PAD, BOS]] = -torch.inf
        if self.beam == 1:  # one way will do: if it is <eos>, no other is gone. Faster than topk.
            best, words = scores.max(dim=1, keepdim=True)  # (n, 1)
            return self.total + best, torch.arange(len(words), device=words.device)[:, None], words
        # None of the 2K can be worse than 2K others of its own row.
        scores, words = scores.topk(min(2 * self.beam, scores.shape[1]))
        count, width = len(self.open), scores.shape[1]
        scores = self.total[:, :, None] + scores.view(count, self.beam, width)
        best, places = scores.flatten(1).topk(2 * self.beam)  # (n, 2K)
        first_row = self.beam * torch.arange(count, device=places.device)
        words = words.view(count, -1).gather(1, places)
        return best, first_row[:, None] + places // width, words

    def _finish(self, scores: Tensor, rows: Tensor, ended: Tensor) -> None:
        """Note the hypotheses that have `ended`, (n, K), and are better than what was noted.

        `found` gets numbers of sentences (m,), scores (m,), words (m, t), weights (m, t, S).
        """
        if not ended.any():
            return
        scores = scores.masked_fill(~ended, -torch.inf)
        self.count += scores.isfinite().sum(dim=1)  # without copies that were not allowed to grow
        scores, places = scores.max(dim=1)
        better = (~(scores <= self.best)).nonzero().flatten()  # (m,); NaN is noted and shows
        self.best = torch.maximum(self.best, scores)
        rows = rows[better, places[better]]
        weights = None if self.seen is None else self.seen[rows]
        self.found.append((self.open[better], scores[better], self.words[rows, 1:], weights))

    def _close(self, done: Tensor, parents: Tensor) -> None:
        """Take the sentences that are done out of the batch; bring the state into order."""
        if done.any():
            parts = (self.open, self.limit, self.best, self.count, self.total)
            self.open, self.limit, self.best, self.count, self.total = (x[~done] for x in parts)
            rows = (~done).repeat_interleave(self.beam)
            parents, self.words = parents[rows], self.words[rows]
            self.seen = None if self.seen is None else self.seen[rows]
        elif self.beam == 1:
            return  # each hypothesis goes on from itself
        self.state = self.decoder.select(self.state, parents)

    def _winners(self, lengths: list[int]) -> list[_Hypothesis]:
        """Of each sentence what was noted last, the weights without the padding."""
        winners: dict[int, _Hypothesis] = {}
        for numbers, scores, words, weights in self.found:
            rows = [None] * len(numbers) if weights is None else weights.cpu()
            parts = (numbers.tolist(), scores.tolist(), words.tolist(), rows)
            for number, score, written, seen in zip(*parts, strict=True):
                seen = None if seen is None else seen[:, : lengths[number]]
                winners[number] = _Hypothesis(score, written, seen)
        return [winners[number] for number in range(len(lengths))]
