"""Training at the source text's sizes: the plain form against ours, and where a step's time goes.

The plain form computes the same numbers the way that a course writes them down: rows padded to ten
words, attention and LSTM called word by word, keys projected anew at each word, logits for padding
too and turned to (B, V, T) for the loss, gradients clipped in a loop, Adam as it comes. It is
`d2l_lite`'s model in every weight, so that the losses can be compared; the text's own model, which
lacks a tanh and reads its last state behind the padding, costs about the same.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.common import clock, in_turns, sample, say, text_data
from d2l_lite import (
    Batch,
    Batches,
    Decoder,
    EncoderDecoder,
    Seq2SeqAttentionDecoder,
    Seq2SeqEncoder,
    TrainConfig,
    build_model,
    build_vocabs,
    fit,
    load_pairs,
    masked_softmax,
    recipe,
)
from d2l_lite.models import DEFAULTS
from d2l_lite.seq2seq import summed_cross_entropy

SIZES = {"embed_size": 32, "num_hiddens": 32, "num_layers": 2}
BATCH_SIZE, WORDS, LR, CLIP = 64, 10, 0.005, 5.0


class PlainDecoder(Decoder):
    """The decoder as the text writes it, with the layers of one of ours."""

    def __init__(self, ours: Seq2SeqAttentionDecoder):
        super().__init__()
        self.embedding, self.rnn, self.output = ours.embedding, ours.rnn, ours.output
        self.W_q, self.W_k, self.v = ours.attention.W_q, ours.attention.W_k, ours.attention.v

    def init_state(self, enc_outputs, src_len):
        outputs, lstm = enc_outputs
        return outputs.transpose(0, 1), lstm, src_len

    def features(self, tgt_in, state):
        outputs, (hidden, cell), src_len = state
        read = []
        for word in self.embedding(tgt_in).transpose(0, 1):
            query, key = self.W_q(hidden[-1].unsqueeze(1)), self.W_k(outputs)
            scores = self.v(torch.tanh(query.unsqueeze(2) + key.unsqueeze(1))).squeeze(-1)
            context = torch.bmm(masked_softmax(scores, src_len), outputs)
            x = torch.cat((context, word.unsqueeze(1)), dim=-1)
            output, (hidden, cell) = self.rnn(x, (hidden, cell))
            read.append(output)
        return torch.cat(read, dim=1)

    def forward(self, tgt_in, state):
        return self.output(self.features(tgt_in, state)), state


class PlainLoss(nn.CrossEntropyLoss):
    """Cross-entropy with a mask: of all positions first, then of those that count."""

    def forward(self, logits: Tensor, label: Tensor, valid_len: Tensor) -> Tensor:
        mask = torch.arange(label.shape[1], device=label.device) < valid_len[:, None]
        self.reduction = "none"
        return (super().forward(logits.transpose(1, 2), label) * mask.float()).sum()


def clip_in_a_loop(model: nn.Module) -> None:
    norm = sum((p.grad**2).sum() for p in model.parameters()).sqrt()
    if norm > CLIP:
        for parameter in model.parameters():
            parameter.grad.mul_(CLIP / norm)


def models(vocabs, device: str) -> tuple[EncoderDecoder, EncoderDecoder]:
    """Ours and the plain form, with equal weights of their own."""
    found = []
    for _ in range(2):
        torch.manual_seed(0)
        encoder, decoder = (
            kind(len(vocab), **SIZES)
            for kind, vocab in zip((Seq2SeqEncoder, Seq2SeqAttentionDecoder), vocabs, strict=True)
        )
        found.append((encoder, decoder))
    (encoder, decoder), (plain_encoder, plain_decoder) = found
    ours = EncoderDecoder(encoder, decoder).to(device)
    return ours, EncoderDecoder(plain_encoder, PlainDecoder(plain_decoder)).to(device)


def train_plainly(model: EncoderDecoder, batches: list[Batch]) -> list[float]:
    """The loss per word of each batch, before its step."""
    optimizer, loss_of, losses = torch.optim.Adam(model.parameters(), lr=LR), PlainLoss(), []
    for batch in batches:
        src, src_len, tgt, tgt_len = batch.to(model.device)
        optimizer.zero_grad()
        logits, _ = model(src, tgt[:, :-1], src_len)
        loss = loss_of(logits, tgt[:, 1:], tgt_len - 1) / (tgt_len - 1).sum()
        loss.backward()
        clip_in_a_loop(model)
        optimizer.step()
        losses.append(loss.item())
    return losses


def train_ours(model: EncoderDecoder, batches, device: str) -> list[float]:
    config = TrainConfig(
        epochs=1, lr=LR, schedule="constant", clip=CLIP, device=device, progress=False
    )
    return fit(model, batches, config)["train_loss"]


def plain_parts(model: EncoderDecoder, batch: Batch):
    """The target words' features, and what makes a loss of them."""
    src, src_len, tgt, tgt_len = batch
    features = model.decoder.features(tgt[:, :-1], model.start(src, src_len))
    return features, lambda x: PlainLoss()(model.decoder.output(x), tgt[:, 1:], tgt_len - 1)


def our_parts(model: EncoderDecoder, batch: Batch):
    src, src_len, tgt, tgt_len = batch
    counted = torch.arange(1, tgt.shape[1], device=tgt.device) < tgt_len[:, None]
    features = model.decoder.read(tgt[:, :-1], model.start(src, src_len))[0][counted]
    return features, lambda x: summed_cross_entropy(x, model.decoder.output, tgt[:, 1:][counted])


def shares(
    model: EncoderDecoder, batches: list[Batch], parts: Callable, clip: Callable, fused: bool
) -> dict[str, float]:
    """Milliseconds of a step, by what they go into."""
    device = model.device.type
    optimizer = torch.optim.Adam(model.parameters(), lr=LR, fused=fused)
    spent: dict[str, float] = {}

    def lap(name: str, start: float) -> float:
        now = clock(device)
        spent[name] = spent.get(name, 0.0) + (now - start) / len(batches) * 1000
        return now

    for batch in batches:
        batch = batch.to(device)
        start = clock(device)
        optimizer.zero_grad()
        features, loss_of = parts(model, batch)
        start = lap("encoder_and_decoder", start)
        cut = features.detach().requires_grad_()
        loss = loss_of(cut) / (batch.tgt_len - 1).sum()
        start = lap("words_and_loss", start)
        loss.backward()
        start = lap("words_and_loss_back", start)
        features.backward(cut.grad)
        start = lap("encoder_and_decoder_back", start)
        clip(model)
        optimizer.step()
        lap("clipping_and_adam", start)
    return spent


def clip_at_once(model: nn.Module) -> None:
    nn.utils.clip_grad_norm_(model.parameters(), CLIP)


def forms(device: str, fast: bool) -> dict[str, float | str]:
    """The plain form and ours on the same sentences: speed, losses, shares of a step."""
    name, pairs, vocabs = text_data(fast)
    some = sample(pairs, 128 if fast else 64 * 60)
    padded = list(Batches(some, *vocabs, BATCH_SIZE, group=False, cut=WORDS))
    grouped = Batches(some, *vocabs, BATCH_SIZE, cut=WORDS)
    words = [int((batch.tgt_len - 1).sum()) for batch in padded]
    works = {
        "plain": lambda: train_plainly(models(vocabs, device)[1], padded),
        "ours": lambda: train_ours(models(vocabs, device)[0], grouped, device),
        "ours_same_batches": lambda: train_ours(models(vocabs, device)[0], padded, device),
    }
    taken = in_turns(works, device, turns=1 if fast else 5)
    speeds = {f"{form}_words_per_second": sum(words) / taken[form] for form in works}
    losses = train_plainly(models(vocabs, device)[1], padded)
    ours, plain = models(vocabs, device)
    fused = device in ("cpu", "cuda")
    parts = {
        "plain": shares(plain, padded, plain_parts, clip_in_a_loop, fused=False),
        "ours": shares(ours, list(grouped), our_parts, clip_at_once, fused),
    }
    return {
        "data": name,
        "target_words_known": len(vocabs[1]),
        **speeds,
        "ratio": taken["plain"] / taken["ours"],
        "ratio_same_batches": taken["plain"] / taken["ours_same_batches"],
        "plain_loss": sum(map(float.__mul__, losses, map(float, words))) / sum(words),
        "ours_loss": train_ours(models(vocabs, device)[0], padded, device)[0],
        **{f"{form}_{part}_ms": ms for form in parts for part, ms in parts[form].items()},
    }


def families(device: str, fast: bool) -> dict[str, float]:
    """Target words per second of all model families at their default sizes, one step's mean."""
    pairs = load_pairs("mini-fra-long", 200 if fast else 4000)
    vocabs = build_vocabs(pairs)
    found = {}
    for name in DEFAULTS:
        say(f"  training {name}")
        torch.manual_seed(0)
        sizes = {"num_layers": 1} if fast else {}
        model = build_model(name, *vocabs, **sizes)
        size = recipe(name)["batch_size"]
        batches = list(Batches(sample(pairs, 8 if fast else 8 * size), *vocabs, size))
        words = sum(int((batch.tgt_len - 1).sum()) for batch in batches)
        work = {name: lambda model=model, batches=batches: train_ours(model, batches, device)}
        taken = in_turns(work, device, turns=1 if fast else 2)
        found[f"{name.replace('-', '_')}_words_per_second"] = words / taken[name]
    return found


def measure(device: str, fast: bool = False) -> dict[str, float | str]:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        say("  training at the text's sizes")
        return {**forms(device, fast), **families(device, fast)}
    finally:
        torch.set_num_threads(threads)
