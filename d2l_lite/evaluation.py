"""How good a model is: its loss, its translations and its alignments on sentence pairs."""

from collections.abc import Sequence
from typing import Any

from d2l_lite.data import Batches, Pair, normalize
from d2l_lite.decoding import evaluating, forced_weights, translate
from d2l_lite.metrics import alignment_score, bleu, exact_match, perplexity
from d2l_lite.seq2seq import EncoderDecoder
from d2l_lite.vocab import tokenize


def mean_loss(model: EncoderDecoder, pairs: Sequence[Pair], batch_size: int = 128) -> float:
    """Teacher-forced cross-entropy in nats a target word, `<eos>` counted, without dropout."""
    batches = Batches(pairs, model.src_vocab, model.tgt_vocab, batch_size)
    with evaluating(model):
        losses = [model.loss(batch.to(model.device)) for batch in batches]
    return sum(loss.item() for loss, _ in losses) / sum(int(count) for _, count in losses)


def evaluate(
    model: EncoderDecoder, pairs: Sequence[Pair], beam: int = 1, resamples: int = 1000
) -> dict[str, Any]:
    """Translate the sources of `pairs`, each once, and score against all their targets.

    Returns:
        bleu and its 95 % interval (None with `resamples=0`) and signature; exact, the share of
        translations that equal a reference; loss (nats a target word, over all pairs) and
        perplexity; sentences; the alignment error rate aer against gold, the lowest that one link
        a word can reach, aer_best, and gold_mass, the mean weight on gold links: None all three
        where there is no gold or no attention.
    """
    if not pairs:
        raise ValueError("no pairs to evaluate on")
    references: dict[str, list[Pair]] = {}
    for pair in pairs:
        references.setdefault(normalize(pair.source), []).append(pair)
    groups = list(references.values())
    found = translate(model, [group[0].source for group in groups], beam=beam)
    right = [[pair.target for pair in group] for group in groups]
    score = bleu([translation.text for translation in found], right, resamples)
    loss = mean_loss(model, pairs)
    return {
        "bleu": score.score,
        "interval": score.interval,
        "signature": score.signature,
        "exact": exact_match(
            [translation.words for translation in found],
            [[tokenize(target) for target in targets] for targets in right],
        ),
        "loss": loss,
        "perplexity": perplexity(loss),
        "sentences": len(groups),
        **_alignment(model, pairs),
    }


def _alignment(model: EncoderDecoder, pairs: Sequence[Pair]) -> dict[str, float | None]:
    gold = [pair for pair in pairs if pair.alignment]
    weights = forced_weights(model, gold) if gold else None
    names = ("aer", "aer_best", "gold_mass")
    if weights is None:
        return dict.fromkeys(names)
    score = alignment_score([w.numpy() for w in weights], [pair.alignment or () for pair in gold])
    return dict(zip(names, score, strict=True))
