"""Repeat the recorded runs on the built-in corpus: part of `make results`, some 12 minutes.

Two models on mini-fra-long, sentences of 1 to 30 words, with the same settings: one reads a context
of fixed size at every step, one attends. Three seeds each; a finished run is one line of
`mini_fra.jsonl`. Both models of seed 0 ship with the book.
"""

import sys
import time
from pathlib import Path

import records
import torch

import d2l_lite as d2l

HERE = Path(__file__).parent
RECORDS = HERE / "mini_fra.jsonl"
SHIPPED = HERE.parent / "book" / "models"
CORPUS = "mini-fra-long"
NAMES = ("rnn", "rnn-attention")
SEEDS = (0, 1, 2)
SIZES = {"embed_size": 64, "hidden_size": 160, "dropout": 0.2}
BATCH_SIZE = 64
TRAINING = {"epochs": 16, "lr": 0.004}


def main() -> None:
    split = d2l.split_pairs(d2l.load_pairs(CORPUS))
    for name, seed in records.missing(RECORDS, NAMES, SEEDS, "--again" in sys.argv[1:]):
        record, model, history = run(name, seed, split)
        if seed == 0:
            about = {"data": CORPUS, "seed": seed}
            d2l.save_run(SHIPPED / f"{CORPUS}-{name}", model, history, about, torch.float16)
        records.append(RECORDS, record)
        right = [exact for _, exact in record["by_length"]]
        print(f"{name}, seed {seed}: {sum(right)} of {len(right)} exact")


def run(name: str, seed: int, split: d2l.Split) -> tuple[dict, d2l.EncoderDecoder, d2l.History]:
    """Train one model and translate the test part with it."""
    vocabs = d2l.build_vocabs(split.train)
    torch.manual_seed(seed)
    model = d2l.build_model(name, *vocabs, **SIZES)
    batches = d2l.Batches(split.train, *vocabs, BATCH_SIZE, seed)
    history = d2l.fit(model, batches, d2l.TrainConfig(**TRAINING, seed=seed), split.valid)
    record = {
        "name": name,
        "seed": seed,
        "config": {**model.config, "batch_size": BATCH_SIZE, **TRAINING},
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "seconds": sum(history["seconds"]),
        "history": list(history),
        "by_length": by_length(model, split.test),
        "recorded": time.strftime("%Y-%m-%d"),
    }
    return record, model, history


def by_length(model: d2l.EncoderDecoder, pairs: list[d2l.Pair]) -> list[tuple[int, int]]:
    """For each pair the words of its source, and whether its greedy translation is exact."""
    found = d2l.translate(model, [pair.source for pair in pairs])
    return [
        (len(one.source_words), int(one.words == d2l.tokenize(pair.target)))
        for one, pair in zip(found, pairs, strict=True)
    ]


if __name__ == "__main__":
    sys.exit(main())
