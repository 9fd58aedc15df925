"""Ask every address in the book whether it still answers, with Sphinx's own link checker.

    python book/check_links.py     # what `make links` calls; it needs the network

No notebook is run: the addresses stand in the text.
"""

import json
import re
import sys
from textwrap import shorten

from build_book import ROOT
from jupyter_book.sphinx import build_sphinx

OUT = ROOT / "_build" / "linkcheck"
SETTINGS = {
    "latex_individualpages": False,  # Jupyter Book asks for this one
    "nb_execution_mode": "off",
    "linkcheck_timeout": 30,
    "linkcheck_retries": 3,
    "linkcheck_workers": 5,
    "linkcheck_report_timeouts_as_broken": False,  # a slow server is not a wrong address
}


# Some sites answer browsers and refuse programs. That is not a wrong address.
REFUSED = re.compile(r"(401|403|405|429) ")


def broken(text):
    """What the checker's output.json says about addresses that do not answer, a line for each."""
    found = [json.loads(line) for line in text.splitlines()]
    return [
        f"{entry['filename']}:{entry['lineno']}: {entry['uri']} ({shorten(entry['info'], 120)})"
        for entry in found
        if entry["status"] == "broken" and not REFUSED.match(entry["info"])
    ]


def main():
    """Check all pages; fail with the addresses that are broken."""
    options = {"noconfig": True, "path_config": ROOT / "_config.yml", "confoverrides": SETTINGS}
    places = {"doctreedir": ROOT / "_build" / ".doctrees-links", "builder": "linkcheck"}
    done = build_sphinx(ROOT, OUT, quiet=True, force_all=True, **options, **places)
    if bad := broken((OUT / "output.json").read_text(encoding="utf-8")):
        sys.exit("These addresses do not answer:\n  " + "\n  ".join(bad))
    if done:
        sys.exit("The check itself failed; the lines above say why.")
    print("All addresses answer.")


if __name__ == "__main__":
    main()
