"""The command line: `python -m d2l_lite train | translate | evaluate | export`."""

import argparse
import json
import math
import sys
import warnings
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

import matplotlib
import torch
from matplotlib import pyplot as plt

from d2l_lite import __version__, parallel
from d2l_lite.data import (
    CORPORA,
    Batches,
    Split,
    build_vocabs,
    keep_lengths,
    load_pairs,
    split_pairs,
)
from d2l_lite.decoding import Translation, translate
from d2l_lite.evaluation import evaluate
from d2l_lite.figures.export import PRECISIONS, export
from d2l_lite.models import DEFAULTS, build_model, recipe
from d2l_lite.plot import heatmap, use_style
from d2l_lite.runs import CONFIG, load_run, try_gpu
from d2l_lite.training import TrainConfig, fit

WIDTH = "width of the beam; 1, the default, is greedy search"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 if it went well, 1 with a line on stderr if not, 130 after Ctrl-C."""
    args = _parser().parse_args(arguments)
    try:
        args.command(args)
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; a training goes on from its last whole epoch: --resume", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m d2l_lite", description=__doc__)
    parser.add_argument("--version", action="version", version=f"d2l_lite {__version__}")
    commands = parser.add_subparsers(required=True, metavar="train|translate|evaluate|export")
    _add_train(commands.add_parser("train", help="train a model on sentence pairs"))
    _add_translate(commands.add_parser("translate", help="translate sentences with a run"))
    _add_evaluate(commands.add_parser("evaluate", help="score a run on sentence pairs"))
    _add_export(commands.add_parser("export", help="write a run for the translator in a browser"))
    return parser


def _add_corpus(parser: argparse.ArgumentParser, max_len: int | None = None) -> None:
    known = f"{', '.join(CORPORA)}, or a file of source<TAB>target lines"
    parser.add_argument("--data", required=True, help=known)
    parser.add_argument("--num-examples", type=int, metavar="N", help="the first N lines only")
    least = "drop pairs with fewer words on a side"
    parser.add_argument("--min-len", type=int, metavar="N", help=least)
    most = "drop pairs with more words on a side" + (f", by default {max_len}" if max_len else "")
    parser.add_argument("--max-len", type=int, default=max_len, metavar="N", help=most)


def _add_train(parser: argparse.ArgumentParser) -> None:
    # What is longer would cost much and teach little; it is counted.
    _add_corpus(parser, max_len=100)
    models = f"{', '.join(DEFAULTS)}; by default %(default)s"
    parser.add_argument("--model", default="rnn-attention", help=models)
    parser.add_argument("--out", required=True, help="the run folder to write")
    usual = "by default what suits the model"
    parser.add_argument("--epochs", type=int, metavar="N", help=usual)
    parser.add_argument("--batch-size", type=int, metavar="N", help=usual)
    parser.add_argument("--lr", type=float, metavar="X", help=usual)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is drawn")
    parser.add_argument("--resume", action="store_true", help="go on from the last whole epoch")
    parser.add_argument("--valid", metavar="FILE", help="validate on these pairs, train on all")
    parser.set_defaults(command=_train)


def _add_translate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="a run folder, or a run of the book")
    parser.add_argument("sentences", nargs="+", help="in quotes, one or more")
    parser.add_argument("--beam", type=int, default=1, metavar="K", help=WIDTH)
    parser.add_argument("--heatmap", metavar="FILE.svg", help="draw the attention weights")
    parser.set_defaults(command=_translate)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="a run folder, or a run of the book")
    _add_corpus(parser)
    split = "the 2 %% that `train` keeps away, or all; by default %(default)s"
    parser.add_argument("--split", choices=("test", "all"), default="test", help=split)
    parser.add_argument("--beam", type=int, default=1, metavar="K", help=WIDTH)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(command=_evaluate)


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="a run folder, or a run of the book")
    parser.add_argument("path", metavar="FILE.js", help="its name becomes the model's")
    known = f"{', '.join(PRECISIONS)}; by default %(default)s"
    parser.add_argument("--precision", default="int8", metavar="P", help=known)
    parser.set_defaults(command=_export)


def _train(args: argparse.Namespace) -> None:
    with parallel.started(), redirect_stdout(None) if parallel.rank() else nullcontext():
        if args.resume and not Path(args.out, CONFIG).exists():
            print(f"{args.out} holds no run to go on with: a new one begins")
        _train_here(args)


def _fill(args: argparse.Namespace, usual: dict[str, Any]) -> None:
    """Give the options that were not given their usual values."""
    vars(args).update({name: usual[name] for name in usual if getattr(args, name) is None})


def _train_here(args: argparse.Namespace) -> None:
    _fill(args, recipe(args.model))
    read = load_pairs(args.data, args.num_examples)
    pairs = keep_lengths(read, args.min_len, args.max_len)
    if args.valid:
        train, valid, kept = Split(pairs, load_pairs(args.valid), [])
    else:
        train, valid, kept = split_pairs(pairs)
    # A word seen once teaches little; read as <unk>, it teaches what to do with unknown words.
    vocabs = build_vocabs(train, min_count=2 if len(train) >= 5000 else 1)
    names = ("data", "num_examples", "min_len", "max_len", "valid", "batch_size")
    about = {name: getattr(args, name) for name in names} | {"pairs": len(train)}
    run = {"folder": args.out, "resume": args.resume, "about": about}
    config = TrainConfig(args.epochs, args.lr, seed=args.seed, **run)
    torch.manual_seed(args.seed)
    model = build_model(args.model, *vocabs)
    batches = Batches(train, *vocabs, args.batch_size, args.seed)
    print(
        f"{len(train)} pairs to train on, {len(valid)} to validate, {len(kept)} kept for "
        f"`evaluate`, {len(read) - len(pairs)} dropped for their length; {len(vocabs[0])} source "
        f"and {len(vocabs[1])} target words; on {try_gpu()}"
    )
    if not valid:
        print("no sentence falls into the validation part: the last epoch is kept, not the best")
    last = fit(model, batches, config, valid)[-1]
    shown = ("epoch", "train_loss", "valid_loss", "valid_bleu")
    measured = {name: last[name] for name in shown if last[name] is not None}
    print(f"{args.out}: " + ", ".join(f"{name} {value:.4g}" for name, value in measured.items()))


def _translate(args: argparse.Namespace) -> None:
    if args.heatmap and len(args.sentences) > 1:
        raise ValueError(f"--heatmap draws one sentence, not {len(args.sentences)}")
    if args.heatmap and not args.heatmap.lower().endswith((".svg", ".png", ".pdf")):
        raise ValueError(f"--heatmap writes .svg, .png or .pdf, not {args.heatmap!r}")
    model = load_run(args.run, try_gpu()).model
    found = translate(model, args.sentences, beam=args.beam)
    for translation in found:
        print(translation.text)
        if translation.unknown:
            words = ", ".join(translation.unknown)
            print(f"unknown, read as <unk>: {words}", file=sys.stderr)
    if args.heatmap:
        _draw(found[0], args.heatmap)


def _draw(translation: Translation, path: str) -> None:
    if translation.weights is None:
        raise ValueError("this model has no attention: there is no heatmap to draw")
    if not translation.words:
        raise ValueError("the translation is empty: there is no heatmap to draw")
    matplotlib.use("Agg")
    use_style()
    with warnings.catch_warnings():
        # The font here may lack a letter; in an SVG words stay text, and the reader's font has it.
        warnings.simplefilter("ignore", UserWarning)
        heatmap(translation.weights, translation.source_words, translation.words)
        plt.savefig(path)


def _is_json(value: object) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _evaluate(args: argparse.Namespace) -> None:
    model, config, _ = load_run(args.run, try_gpu())
    about = config["about"]
    if about.get("valid") and Path(args.data).resolve() == Path(about["data"]).resolve():
        print(f"note: {args.run} was trained on all of {args.data}", file=sys.stderr)
    if args.split == "test":  # what the training has dropped was not kept away from it
        _fill(args, {name: about.get(name) for name in ("min_len", "max_len")})
    pairs = load_pairs(args.data, args.num_examples, args.min_len, args.max_len)
    if args.split == "test":
        pairs = split_pairs(pairs).test
        if not pairs:
            raise ValueError(f"no sentence of {args.data} falls into the test part: --split all")
    scores = evaluate(model, pairs, args.beam)
    if args.json:
        # The perplexity of a hopeless model is infinite, and JSON knows no such number.
        print(json.dumps({k: v if _is_json(v) else None for k, v in scores.items()}))
        return
    low, high = scores["interval"]
    print(f"BLEU        {scores['bleu']:.1f}  (95 % interval {low:.1f} to {high:.1f})")
    print(f"exact       {scores['exact']:.1%} of {scores['sentences']} sentences")
    print(f"loss        {scores['loss']:.3f} nats a word, perplexity {scores['perplexity']:.2f}")
    if scores["aer"] is not None:
        print(
            f"alignment   error rate {scores['aer']:.3f} (one link a word: {scores['aer_best']:.3f}"
            f" at best), weight on gold links {scores['gold_mass']:.3f}"
        )
    print(f"signature   {scores['signature']}")


def _export(args: argparse.Namespace) -> None:
    error = export(args.run, args.path, args.precision)
    size = Path(args.path).stat().st_size
    print(f"{args.path}: {size:,} bytes, {args.precision} weights off by {error:.2%} of their size")


if __name__ == "__main__":
    sys.exit(main())
