"""The training loop, with checkpoints that survive a kill."""

import hashlib
import math
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from d2l_lite import parallel
from d2l_lite.data import Batch, Batches, Pair
from d2l_lite.evaluation import evaluate
from d2l_lite.runs import (
    CONFIG,
    RESUME,
    check_saveable,
    load_checkpoint,
    load_run,
    save_checkpoint,
    save_run,
    try_gpu,
)
from d2l_lite.seq2seq import EncoderDecoder
from d2l_lite.threads import one_thread

# Rows of a batch times the width of the widest layer: below it a step's matrices, but for those of
# the vocabulary, are faster on one thread.
SMALL = 1 << 14


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
    folder: str | os.PathLike[str] | None = None
    resume: bool = False
    about: dict[str, Any] | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        if not (isinstance(self.epochs, int) and self.epochs >= 1):
            raise ValueError(f"epochs must be a whole number from 1, not {self.epochs}")
        for name in ("lr", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be above 0 and finite, not {getattr(self, name)}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be from 0 to {2**32 - 1}, not {self.seed}")
        if self.schedule not in ("one-cycle", "constant"):
            raise ValueError(f"unknown schedule {self.schedule!r}; known: one-cycle, constant")
        if self.resume and self.folder is None:
            raise ValueError("resume needs the folder of the run that is to go on")


class History(list[dict[str, Any]]):
    """What was measured, a dict for each epoch; `history["train_loss"]` is one column."""

    def __getitem__(self, key: Any) -> Any:
        return [epoch[key] for epoch in self] if isinstance(key, str) else super().__getitem__(key)


def fit(
    model: EncoderDecoder,
    batches: Iterable[Batch],
    config: TrainConfig,
    valid: Sequence[Pair] | None = None,
) -> History:
    """Train `model` with Adam, in all processes that torchrun has started (see `parallel`).

    Each entry of the history has epoch, seconds, tokens_per_second (target words), train_loss
    (nats a target word, with dropout), and valid_loss and valid_bleu, None without `valid`.
    With `valid` the model ends with the weights of the epoch whose valid_loss was lowest. In a run
    folder they are `model.safetensors`; `resume.pt` stands there for as long as epochs are left.

    Args:
        batches: as `Batches` makes them, or anything with a length that gives four tensors.
        valid: sentence pairs that are not trained on.

    Raises:
        FloatingPointError: the loss or its gradient is not finite; the last checkpoint is kept.
        FileExistsError: the folder holds a run already and `resume` was not asked for.
        ValueError: the run in the folder is of a training with other settings, the model cannot
            be saved, or a sentence of `valid` cannot be translated.
    """
    return _Trainer(model, batches, config, list(valid or [])).run()


class _Trainer:
    """The state of a training, and how it is written down and read again."""

    def __init__(self, model: EncoderDecoder, batches: Any, config: TrainConfig, valid: list[Pair]):
        self.model, self.batches, self.config, self.valid = model, batches, config, valid
        self.device = torch.device(config.device) if config.device else try_gpu()
        self.history = History()
        self.width = max(weight.shape[-1] for weight in model.parameters() if weight.dim() > 1)
        model.to(self.device)
        parallel.equalize(model)
        self.best = self._snapshot()
        self.optimizer = torch.optim.Adam(
            model.parameters(), lr=config.lr, fused=self.device.type in ("cpu", "cuda")
        )
        self.steps = config.epochs * len(batches)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)
        torch.manual_seed(config.seed + parallel.rank())
        if not self.steps:
            raise ValueError("no batches to train on")
        size = getattr(batches, "batch_size", parallel.processes())
        if size < parallel.processes():
            raise ValueError(f"{parallel.processes()} processes cannot share a batch of {size}")
        if valid:
            Batches(valid, model.src_vocab, model.tgt_vocab)  # whatever is wrong is said now
        if config.folder is not None:
            self.folder = check_saveable(config.folder, model, self._about())
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
        done = first * len(self.batches)
        shown = self.config.progress and not parallel.rank()
        options = {} if shown else {"disable": True}  # without it $TQDM_DISABLE decides
        with tqdm(total=self.steps, initial=done, unit="batch", **options) as bar:
            for epoch in range(first, self.config.epochs):
                bar.set_description(f"epoch {epoch + 1}/{self.config.epochs}")
                self.history.append(self._epoch(epoch, bar))
                self._keep()
        self.model.load_state_dict(self.best)
        self.model.eval()
        return self.history

    def _snapshot(self) -> dict[str, Tensor]:
        return {name: part.detach().clone() for name, part in self.model.state_dict().items()}

    def _epoch(self, epoch: int, bar: tqdm) -> dict[str, Any]:
        if isinstance(self.batches, Batches):
            self.batches.epoch = epoch
        self.model.train()
        total = words = 0
        start = time.perf_counter()
        for number, batch in enumerate(self.batches, start=1):
            with one_thread(len(batch[0]) * self.width < SMALL):
                summed, count = self._step(batch, f"step {number} of epoch {epoch + 1}")
            total, words = total + summed, words + count
            speed = words / (time.perf_counter() - start)
            bar.set_postfix_str(f"loss {total / words:.3f}, {speed:,.0f} words/s", refresh=False)
            bar.update()
        seconds = time.perf_counter() - start
        if not all(weight.isfinite().all() for weight in self.model.parameters()):
            self._give_up(f"a weight is not finite after epoch {epoch + 1}")
        validates = self.valid and not parallel.rank()
        scores = parallel.agree(evaluate(self.model, self.valid, resamples=0) if validates else {})
        if not math.isfinite(scores.get("loss", 0.0)):
            self._give_up(f"the validation loss is {scores['loss']} after epoch {epoch + 1}")
        return parallel.agree(
            {
                "epoch": epoch + 1,
                "seconds": round(seconds, 3),
                "tokens_per_second": round(words / seconds, 1),
                "train_loss": total / words,
                "valid_loss": scores.get("loss"),
                "valid_bleu": scores.get("bleu"),
            }
        )

    def _step(self, batch: Batch, where: str) -> tuple[float, int]:
        """One step of the optimiser: the batch's summed loss, and how many words it sums over."""
        rows = parallel.share(Batch(*batch).to(self.device))
        value, words = 0.0, 0
        self.optimizer.zero_grad()
        if len(rows.src):  # an epoch's last batch may have fewer rows than there are processes
            summed, count = self.model.loss(rows)
            (summed / count).backward()
            value, words = summed.item(), int(count)
        value, words = parallel.mean_gradients(self.model, value, words)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip).item()
        for name, number in (("loss", value), ("gradient's norm", norm)):
            if not math.isfinite(number):
                self._give_up(f"the {name} is {number} at {where}")
        self.optimizer.step()
        self.scheduler.step()
        return value, words

    def _give_up(self, what: str) -> None:
        kept = "nothing has been saved yet"
        if self.config.folder is not None and self.history:
            kept = f"{self.folder} keeps the state after epoch {len(self.history)}"
        raise FloatingPointError(
            f"{what}: try a learning rate below {self.config.lr}, or clip gradients below "
            f"{self.config.clip}; {kept}"
        )

    def _keep(self) -> None:
        """Remember the best weights; in a folder, write down all that a later start needs."""
        losses = self.history["valid_loss"]
        if not self.valid or losses[-1] == min(losses):
            self.best = self._snapshot()
        if self.config.folder is None:
            return
        random = parallel.collect(torch.get_rng_state())
        if parallel.rank():
            return
        last = self._snapshot()
        self.model.load_state_dict(self.best)
        save_run(self.folder, self.model, self.history, self._about())
        self.model.load_state_dict(last)
        if len(self.history) == self.config.epochs:
            (self.folder / RESUME).unlink(missing_ok=True)
            return
        checkpoint = {
            "settings": self._settings(),
            "history": list(self.history),
            "model": last,
            "best": self.best,
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "random": random,
        }
        save_checkpoint(self.folder, checkpoint)

    def _about(self) -> dict[str, Any]:
        return {**(self.config.about or {}), "training": self._settings()}

    def _settings(self) -> dict[str, Any]:
        """What must be the same for a run to be of this training."""
        names = ("epochs", "lr", "schedule", "clip", "seed")
        words = repr((self.model.src_vocab.words, self.model.tgt_vocab.words))
        return {name: getattr(self.config, name) for name in names} | {
            "model": self.model.config,
            "valid": len(self.valid),
            "vocabularies": hashlib.sha256(words.encode()).hexdigest(),
            "batches": repr(self.batches) if isinstance(self.batches, Batches) else self.steps,
        }

    def _open_folder(self) -> None:
        """Make sure that no run is overwritten, and go back to the checkpoint if one is wanted."""
        if not (self.folder / CONFIG).exists():
            return  # no epoch was finished: begin at the beginning
        if not self.config.resume:
            raise FileExistsError(
                f"{self.folder} holds a run: resume it (--resume), or take another folder"
            )
        checkpoint = load_checkpoint(self.folder, self.device)
        if checkpoint is not None:
            self._go_back_to(checkpoint)
            return
        run = load_run(self.folder)
        if "training" not in run.config["about"]:
            raise ValueError(f"{self.folder} holds no training of `fit`; take another folder")
        self._compare(run.config["about"]["training"])
        if len(run.history) == self.config.epochs:
            self.history.extend(run.history)
            self.best = run.model.to(self.device).state_dict()
        # Otherwise it was killed while the first checkpoint was written: begin at the beginning.

    def _compare(self, then: dict[str, Any]) -> None:
        for name, now in self._settings().items():
            if then.get(name) != now:
                what = _difference(name, then.get(name), now)
                raise ValueError(f"{self.folder} is of a training {what}; take another folder")

    def _go_back_to(self, checkpoint: dict[str, Any]) -> None:
        try:
            self._compare(checkpoint["settings"])
            self.model.load_state_dict(checkpoint["best"])
            self.best = self._snapshot()
            self.model.load_state_dict(checkpoint["model"])
            self.optimizer.load_state_dict(checkpoint["optimizer"])
            self.scheduler.load_state_dict(checkpoint["scheduler"])
            self.history.extend(checkpoint["history"])
            random = torch.atleast_2d(checkpoint["random"])
            # A copy: a row in the middle of a tensor is not read as what it is.
            torch.set_rng_state(random[parallel.rank() % len(random)].cpu().clone())
        except (KeyError, TypeError, AttributeError, RuntimeError) as error:
            path, what = self.folder / RESUME, str(error).splitlines()[0]
            raise ValueError(f"the checkpoint {path} is damaged: {what}") from None


def _difference(name: str, then: Any, now: Any) -> str:
    """What is different about a training, one of whose settings was another `then`."""
    if name == "vocabularies":
        return "on other pairs: the words differ"
    if name == "valid":
        return f"validated on {then} pairs, not {now}"
    if name == "model":
        then, now = then or {}, now or {}
        size = next(key for key in {**then, **now} if then.get(key) != now.get(key))
        return f"of a model with {size} = {then.get(size)}, not {now.get(size)}"
    why = ": the learning rate is planned for all of them" if name == "epochs" else ""
    return f"with {name} = {then}, not {now}{why}"
