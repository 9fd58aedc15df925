"""The training loop, with checkpoints that survive a kill, and the evaluation of a model."""

import hashlib
import math
import os
import pickle
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm.auto import tqdm

from d2l_lite.data import Batch, Batches, Pair, normalize_source
from d2l_lite.decoding import forced_weights, translate
from d2l_lite.metrics import alignment_error_rate, bleu, exact_match, perplexity
from d2l_lite.runs import CONFIG, load_run, save_history, save_run, save_weights
from d2l_lite.seq2seq import EncoderDecoder, IncrementalDecoder
from d2l_lite.vocab import tokenize

RESUME = "resume.pt"


def try_gpu() -> torch.device:
    """The first of cuda, mps, cpu that this machine has."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


@dataclass(frozen=True)
class TrainConfig:
    """How to train.

    Args:
        epochs: how often all batches are gone through.
        lr: Adam's learning rate; with the one-cycle schedule, the highest.
        schedule: "one-cycle" (Smith and Topin 2018: up for the first quarter, then down to almost
            0) or "constant".
        clip: longest gradient; longer ones are shortened to it.
        seed: for dropout; the batches have a seed of their own.
        device: "cpu", "cuda", "mps", or None, the best that there is.
        folder: write a run folder here, and a checkpoint after each epoch.
        resume: go on from the checkpoint in `folder`, if there is one.
        about: what else to note in the run folder.
        progress: show a progress bar.

    Raises:
        ValueError: a number out of range, an unknown schedule, or resume without a folder.
    """

    epochs: int = 10
    lr: float = 0.003
    schedule: str = "one-cycle"
    clip: float = 1.0
    seed: int = 0
    device: str | None = None
    folder: str | os.PathLike | None = None
    resume: bool = False
    about: dict[str, Any] | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        for name in ("epochs", "lr", "clip"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}")
        if self.schedule not in ("one-cycle", "constant"):
            raise ValueError(f"unknown schedule {self.schedule!r}; known: one-cycle, constant")
        if self.resume and self.folder is None:
            raise ValueError("resume needs the folder of the run that is to go on")


class History(list):
    """What was measured, a dict for each epoch; `history["train_loss"]` is one column."""

    def __getitem__(self, key):
        return [epoch[key] for epoch in self] if isinstance(key, str) else super().__getitem__(key)


def fit(
    model: EncoderDecoder,
    batches: Iterable[Batch],
    config: TrainConfig,
    valid: Sequence[Pair] | None = None,
) -> History:
    """Train `model` with Adam.

    Each entry of the history has epoch, seconds, tokens_per_second (target words), train_loss
    (nats a target word, with dropout), and valid_loss and valid_bleu, None without `valid`.
    With `valid` the model ends with the weights of the epoch whose valid_loss was lowest. In a run
    folder they are `model.safetensors`; `resume.pt` stands there for as long as epochs are left.

    Args:
        batches: as `Batches` makes them, or anything with a length that gives four tensors.
        valid: sentence pairs that are not trained on.

    Raises:
        FloatingPointError: the loss is not finite; the last good checkpoint is kept.
        FileExistsError: the folder holds a run already and `resume` was not asked for.
        ValueError: the checkpoint is of a training with other settings.
    """
    trainer = _Trainer(model, batches, config, valid)
    return trainer.run()


class _Trainer:
    """The state of a training, and how it is written down and read again."""

    def __init__(self, model, batches, config, valid):
        self.model, self.batches, self.config, self.valid = model, batches, config, valid
        self.device = torch.device(config.device) if config.device else try_gpu()
        self.folder = Path(config.folder) if config.folder is not None else None
        self.history = History()
        self.best: dict[str, torch.Tensor] | None = None
        model.to(self.device)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=config.lr)
        self.steps = config.epochs * len(batches)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)
        torch.manual_seed(config.seed)
        if self.folder is not None:
            self._open_folder()

    def _rate(self, step: int) -> float:
        """The share of the highest learning rate at a step: up, then down, along a cosine."""
        if self.config.schedule == "constant":
            return 1.0
        peak = max(1, self.steps // 4)
        done = step / peak if step < peak else (step - peak) / max(1, self.steps - peak)
        low = 0.04 if step < peak else 1e-4
        rise = (1 - math.cos(math.pi * min(done, 1.0))) / 2
        return low + (1 - low) * (rise if step < peak else 1 - rise)

    def run(self) -> History:
        first = len(self.history)
        with tqdm(
            total=self.steps,
            initial=first * len(self.batches),
            disable=not self.config.progress,
            unit="batch",
        ) as bar:
            for epoch in range(first, self.config.epochs):
                self.history.append(self._epoch(epoch, bar))
                self._keep()
        if self.best is not None:
            self.model.load_state_dict(self.best)
        self.model.eval()
        return self.history

    def _epoch(self, epoch: int, bar: tqdm) -> dict[str, Any]:
        bar.set_description(f"epoch {epoch + 1}/{self.config.epochs}")
        if isinstance(self.batches, Batches):
            self.batches.epoch = epoch
        self.model.train()
        total = words = 0
        start = time.perf_counter()
        for number, batch in enumerate(self.batches, start=1):
            summed, count = self._step(batch, f"step {number} of epoch {epoch + 1}")
            total, words = total + summed, words + count
            speed = words / (time.perf_counter() - start)
            bar.set_postfix_str(f"loss {total / words:.3f}, {speed:,.0f} words/s", refresh=False)
            bar.update()
        seconds = time.perf_counter() - start
        scores = evaluate(self.model, self.valid, resamples=0) if self.valid else {}
        return {
            "epoch": epoch + 1,
            "seconds": round(seconds, 3),
            "tokens_per_second": round(words / seconds, 1),
            "train_loss": total / words,
            "valid_loss": scores.get("loss"),
            "valid_bleu": scores.get("bleu"),
        }

    def _step(self, batch: Batch, where: str) -> tuple[float, int]:
        """One step of the optimiser: the batch's summed loss, and how many words it sums over."""
        summed, count = self.model.loss(tuple(tensor.to(self.device) for tensor in batch))
        value, words = summed.item(), int(count)
        if not math.isfinite(value):
            kept = "nothing has been saved yet"
            if self.folder is not None and self.history:
                kept = f"{self.folder} keeps the state after epoch {len(self.history)}"
            raise FloatingPointError(
                f"the loss is {value} at {where}: try a learning rate below {self.config.lr}, or "
                f"clip gradients below {self.config.clip}; {kept}"
            )
        self.optimizer.zero_grad()
        (summed / count).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        self.optimizer.step()
        self.scheduler.step()
        return value, words

    def _keep(self) -> None:
        """Remember the best weights; in a folder, write down all that a later start needs."""
        losses = self.history["valid_loss"]
        improved = not self.valid or losses[-1] == min(losses)
        if improved:
            state = self.model.state_dict()
            self.best = {name: tensor.detach().clone() for name, tensor in state.items()}
        if self.folder is None:
            return
        if not (self.folder / CONFIG).exists():
            save_run(self.folder, self.model, about=self.config.about)
        elif improved:
            save_weights(self.folder, self.model)
        save_history(self.folder, self.history)
        if len(self.history) < self.config.epochs:
            self._save_checkpoint()
        else:
            (self.folder / RESUME).unlink(missing_ok=True)

    def _settings(self) -> dict[str, Any]:
        """What must be the same for a checkpoint to be of this training."""
        names = ("epochs", "lr", "schedule", "clip", "seed")
        words = repr((self.model.src_vocab.words, self.model.tgt_vocab.words))
        return {name: getattr(self.config, name) for name in names} | {
            "steps": self.steps,
            "model": self.model.config,
            "vocabularies": hashlib.sha256(words.encode()).hexdigest(),
        }

    def _save_checkpoint(self) -> None:
        checkpoint = {
            "settings": self._settings(),
            "history": list(self.history),
            "model": self.model.state_dict(),
            "best": self.best,
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "random": torch.get_rng_state(),
        }
        partial = self.folder / (RESUME + ".part")
        torch.save(checkpoint, partial)
        partial.replace(self.folder / RESUME)

    def _open_folder(self) -> None:
        """Make sure that no run is overwritten, and go back to the checkpoint if one is wanted."""
        if not (self.folder / CONFIG).exists():
            return  # nothing was written yet: begin at the beginning
        if not self.config.resume:
            raise FileExistsError(
                f"{self.folder} holds a run already: resume it, or take another folder"
            )
        if (self.folder / RESUME).exists():
            self._load_checkpoint(self.folder / RESUME)
            return
        finished = load_run(self.folder)
        if len(finished.history) != self.config.epochs:
            raise ValueError(
                f"{self.folder} was trained to its end, {len(finished.history)} epochs"
            )
        self.history.extend(finished.history)
        self.model.load_state_dict(finished.model.state_dict())

    def _load_checkpoint(self, path: Path) -> None:
        try:
            checkpoint = torch.load(path, map_location=self.device, weights_only=True)
            then, now = checkpoint["settings"], self._settings()
        except (RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
            raise ValueError(f"the checkpoint {path} is damaged: {error}") from error
        for name in now:
            if then.get(name) != now[name]:
                raise ValueError(
                    f"{path} is of a training with {name} = {then.get(name)}, not {now[name]}"
                )
        self.model.load_state_dict(checkpoint["model"])
        self.best = checkpoint["best"]
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.scheduler.load_state_dict(checkpoint["scheduler"])
        self.history.extend(checkpoint["history"])
        torch.set_rng_state(checkpoint["random"].cpu())


def mean_loss(model: EncoderDecoder, pairs: Sequence[Pair], batch_size: int = 128) -> float:
    """Teacher-forced cross-entropy in nats a target word, `<eos>` counted, without dropout."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        batches = Batches(pairs, model.src_vocab, model.tgt_vocab, batch_size)
        losses = [model.loss(tuple(tensor.to(device) for tensor in batch)) for batch in batches]
    model.train(was_training)
    return sum(loss.item() for loss, _ in losses) / sum(int(count) for _, count in losses)


def evaluate(
    model: EncoderDecoder, pairs: Sequence[Pair], beam: int = 1, resamples: int = 1000
) -> dict[str, Any]:
    """Translate the sources of `pairs`, each once, and score against all their targets.

    Returns:
        bleu and its 95 % interval (None with `resamples=0`) and signature; exact, the share of
        translations that equal a reference; loss (nats a target word, over all pairs) and
        perplexity; sentences; aer, the alignment error rate against gold, None where there is
        no gold or no attention.
    """
    references: dict[str, list[Pair]] = {}
    for pair in pairs:
        references.setdefault(normalize_source(pair.source), []).append(pair)
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
        "aer": _aer(model, pairs),
    }


def _aer(model: EncoderDecoder, pairs: Sequence[Pair]) -> float | None:
    gold = [pair for pair in pairs if pair.alignment is not None]
    if not gold or not isinstance(model.decoder, IncrementalDecoder):
        return None
    weights = forced_weights(model, gold)
    if weights is None:
        return None
    return alignment_error_rate(
        [rows.numpy() for rows in weights], [pair.alignment for pair in gold]
    )
