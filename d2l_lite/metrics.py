"""How good a translation is, and whether attention looks where it should."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sacrebleu.metrics import BLEU


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
    streams = [[right[k] if k < len(right) else None for right in references] for k in range(most)]
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


def perplexity(loss: float) -> float:
    """The exponential of a mean cross-entropy per word in nats; infinite where it overflows."""
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf


def alignment_error_rate(
    weights: Sequence[np.ndarray], gold: Sequence[Sequence[tuple[int, int]]]
) -> float:
    """Alignment error rate, 0 to 1 (Och and Ney 2003), of the strongest link of each target word.

    With A the links from each target word to the source word of greatest weight, and G the gold
    links, all of them sure: 1 - 2 |A ∩ G| / (|A| + |G|), summed over the corpus.

    Args:
        weights: per sentence (T, S), a row for each target word, `<eos>` left out.
        gold: per sentence the (source word, target word) positions that belong together.

    Raises:
        ValueError: the numbers of sentences differ, a gold link lies outside its weights, a
            weight is NaN, or there is no link at all.
    """
    _check_sizes(weights, gold)
    common = links = 0
    for number, (matrix, pairs) in enumerate(zip(weights, gold, strict=True)):
        matrix, pairs = np.asarray(matrix), {tuple(pair) for pair in pairs}
        if matrix.ndim != 2 or matrix.shape[1] == 0 or np.isnan(matrix).any():
            raise ValueError(f"weights {number}, of shape {matrix.shape}, are no (T, S) of numbers")
        for s, t in pairs:
            if not (0 <= t < matrix.shape[0] and 0 <= s < matrix.shape[1]):
                raise ValueError(f"gold link {(s, t)} outside weights {number}, {matrix.shape}")
        found = {(int(row.argmax()), t) for t, row in enumerate(matrix)}
        common += len(found & pairs)
        links += len(found) + len(pairs)
    if not links:
        raise ValueError("no links: all sentences are empty")
    return 1 - 2 * common / links


def _check_sizes(left: Sequence, right: Sequence) -> None:
    if len(left) == 0 or len(left) != len(right):
        raise ValueError(f"{len(left)} on one side and {len(right)} on the other")


def _check_references(hypotheses: Sequence, references: Sequence[Sequence]) -> None:
    _check_sizes(hypotheses, references)
    for i, right in enumerate(references):
        if isinstance(right, str) or len(right) == 0:
            raise ValueError(f"hypothesis {i} needs a list of references, not {right!r}")
