"""How good a translation is, and whether attention looks where it should."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sacrebleu.metrics.bleu import BLEU


class BleuScore(NamedTuple):
    """Corpus BLEU from 0 to 100, its 95 % interval, and sacreBLEU's signature."""

    score: float
    interval: tuple[float, float] | None  # None where nothing was resampled
    signature: str


def bleu(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], resamples: int = 1000
) -> BleuScore:
    """sacreBLEU's corpus BLEU (Papineni et al. 2002; Post 2018), 13a tokens, lower-cased.

    The interval comes from drawing as many sentences with replacement, `resamples` times (Koehn
    2004); the draws are the same in every call. Without resamples there is none.

    Args:
        hypotheses: translations as plain text.
        references: for each hypothesis one or more right answers, as plain text.

    Raises:
        ValueError: as `exact_match`.
    """
    _check_references(hypotheses, references)
    most = max(len(right) for right in references)
    streams: list[list[Any]] = [  # a sentence with fewer right answers than others has None
        [right[k] if k < len(right) else None for right in references] for k in range(most)
    ]
    metric = BLEU(lowercase=True)
    score = metric.corpus_score(list(hypotheses), streams).score
    interval = _bootstrap(hypotheses, references, resamples) if resamples else None
    return BleuScore(min(score, 100.0), interval, str(metric.get_signature()))


def _bootstrap(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], resamples: int
) -> tuple[float, float]:
    """The 95 % interval of corpus BLEU, from sums of each sentence's n-gram counts."""
    metric = BLEU(lowercase=True, effective_order=True)
    parts = [
        metric.sentence_score(h, right) for h, right in zip(hypotheses, references, strict=True)
    ]
    counts = np.array([[*p.counts, *p.totals, p.sys_len, p.ref_len] for p in parts])
    draws = np.random.default_rng(0).integers(len(parts), size=(resamples, len(parts)))
    scores = []
    for draw in draws:
        sums = counts[draw].sum(axis=0).tolist()
        # "exp" is also what corpus_score smooths with.
        score = BLEU.compute_bleu(sums[:4], sums[4:8], sums[8], sums[9], smooth_method="exp")
        scores.append(min(score.score, 100.0))
    low, high = np.percentile(scores, [2.5, 97.5])
    return float(low), float(high)


def exact_match(hypotheses: Sequence[Any], references: Sequence[Sequence[Any]]) -> float:
    """The share of hypotheses, 0 to 1, that equal one of their references.

    Raises:
        ValueError: no hypotheses, another number of references than of hypotheses, or a hypothesis
            with no list of references.
    """
    _check_references(hypotheses, references)
    hits = sum(h in right for h, right in zip(hypotheses, references, strict=True))
    return hits / len(hypotheses)


def wilson_interval(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share, `hits` of `count` (Wilson 1927); it lies within 0 to 1.

    Raises:
        ValueError: `count` is below 1, or `hits` is not within 0 to `count`.
    """
    if not (count >= 1 and 0 <= hits <= count):
        raise ValueError(f"no share: {hits} of {count}")
    share, width = hits / count, 1.96**2 / count
    middle = (share + width / 2) / (1 + width)
    half = math.sqrt(width * share * (1 - share) + width**2 / 4) / (1 + width)
    return max(0.0, middle - half), min(1.0, middle + half)


def perplexity(loss: float) -> float:
    """The exponential of a mean cross-entropy per word in nats; infinite where it overflows."""
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf


class AlignmentScore(NamedTuple):
    """How attention weights compare with gold links; all three from 0 to 1."""

    error_rate: float  # of the strongest link of each target word
    best: float  # the lowest error rate that one link for each target word can reach
    mass: float  # the mean weight on a target word's gold links, over the words that have one


def alignment_error_rate(
    weights: Sequence[np.ndarray], gold: Sequence[Sequence[tuple[int, int]]]
) -> float:
    """`alignment_score(weights, gold).error_rate`, AER for short."""
    return alignment_score(weights, gold).error_rate


def alignment_score(
    weights: Sequence[np.ndarray], gold: Sequence[Sequence[tuple[int, int]]]
) -> AlignmentScore:
    """Compare attention weights with gold links, all of them sure (Och and Ney 2003).

    With A the links from each target word to the source word of greatest weight, and G the gold
    links, the error rate is 1 - 2 |A ∩ G| / (|A| + |G|), summed over the corpus.

    Args:
        weights: per sentence (T, S), a row for each target word, `<eos>` left out.
        gold: per sentence the (source word, target word) positions that belong together.

    Raises:
        ValueError: the numbers of sentences differ, a gold link lies outside its weights, a
            weight is NaN, or there is no gold link at all.
    """
    _check_sizes(weights, gold)
    common = words = links = linked = 0
    mass = 0.0
    for number, (matrix, pairs) in enumerate(zip(weights, gold, strict=True)):
        grid = _gold_grid(number, matrix := np.asarray(matrix), pairs)
        common += grid[np.arange(len(matrix)), matrix.argmax(axis=1)].sum()
        mass += (matrix * grid).sum()
        words += len(matrix)
        links += grid.sum()
        linked += grid.any(axis=1).sum()
    if not links:
        raise ValueError("no gold link in any sentence: there is nothing to compare with")
    rates = (1 - 2 * hits / (words + links) for hits in (common, linked))
    return AlignmentScore(*map(float, (*rates, mass / linked)))


def _gold_grid(number: int, matrix: np.ndarray, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """The gold links of a sentence as a boolean (T, S), once its weights are known to fit."""
    if matrix.ndim != 2 or matrix.shape[1] == 0 or np.isnan(matrix).any():
        raise ValueError(f"weights {number}, of shape {matrix.shape}, are no (T, S) of numbers")
    grid = np.zeros(matrix.shape, dtype=bool)
    for s, t in pairs:
        if not (0 <= t < matrix.shape[0] and 0 <= s < matrix.shape[1]):
            raise ValueError(f"gold link {(s, t)} outside weights {number}, {matrix.shape}")
        grid[t, s] = True
    return grid


def _check_sizes(left: Sequence[object], right: Sequence[object]) -> None:
    if len(left) == 0 or len(left) != len(right):
        raise ValueError(f"{len(left)} on one side and {len(right)} on the other")


def _check_references(hypotheses: Sequence[object], references: Sequence[Sequence[object]]) -> None:
    _check_sizes(hypotheses, references)
    for i, right in enumerate(references):
        if isinstance(right, str) or len(right) == 0:
            raise ValueError(f"hypothesis {i} needs a list of references, not {right!r}")
