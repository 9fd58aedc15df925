"""Recorded runs: a JSON Lines file with one line a finished run."""

import json
from pathlib import Path


def read(path: Path) -> list[dict]:
    """All records of a file, or none where there is no file.

    Raises:
        ValueError: a line is damaged; nothing is changed.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            record["name"], record["seed"]  # what every record must say
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"line {number} of {path} is damaged: {error}") from None
        found.append(record)
    return found


def missing(path: Path, runs: list[tuple[str, int]], again: bool = False) -> list[tuple[str, int]]:
    """Those of `runs`, (name, seed), that have no record; with `again` all, the file put aside."""
    done = {(record["name"], record["seed"]) for record in read(path)}
    if again and done:
        path.replace(path.with_suffix(".old.jsonl"))
        done = set()
    return [run for run in runs if run not in done]


def append(path: Path, record: dict) -> None:
    """Add a record as a line of its own."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
