"""What a reader's browser loads for a page of the book, and when it first paints.

    python benchmarks/pages.py      # after `make book`; writes benchmarks/pages.json

Every page is opened in headless Chromium, with an empty cache, over the line that Lighthouse
calls slow 4G: 1.6 Mbit/s, 150 ms until an answer begins. All its pictures are loaded. A server on
this machine compresses with gzip, as GitHub Pages does. Beside the book stands the sample that
`jupyter-book create` makes, built as it comes and measured the same way. It asks other servers for
more, which is neither loaded here nor counted, so it is shown lighter and faster than it is;
`outside` says how often it asks.
"""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "tests" / "book"), str(ROOT / "tests")]
from browser import find_or_install, launched  # noqa: E402
from serving import Quiet, serving  # noqa: E402

SITE, RECORD = ROOT / "_build" / "html", Path(__file__).with_suffix(".json")
LINE = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 1e5}
TIMES = 3
PAINT = """() => new Promise(found => new PerformanceObserver(list => {
    for (const {name, startTime} of list.getEntries())
        if (name == "first-contentful-paint") found(startTime);
}).observe({type: "paint", buffered: true}))"""


class Compressing(Quiet):
    """Serves text as gzip."""

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if path.suffix not in {".html", ".css", ".js", ".svg"} or not path.is_file():
            return super().do_GET()
        body = gzip.compress(path.read_bytes(), 6)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def opened(chrome, address: str, page_name: str) -> dict[str, float]:
    """One visit with an empty cache: bytes over the line, seconds to the first paint, ..."""
    context = chrome.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", LINE)
    received, outside = [], []
    session.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    page.route(
        lambda url: not url.startswith(address), lambda route: (outside.append(1), route.abort())
    )
    page.goto(f"{address}/{page_name}")
    paint = page.evaluate(PAINT)
    page.evaluate("for (const image of document.images) image.loading = 'eager'")
    page.wait_for_load_state("networkidle")
    context.close()
    return {"bytes": sum(received), "first_paint": paint / 1000, "outside": len(outside)}


def figures_bytes(path: Path) -> int:
    """How much lighter a page would be without its interactive figures, in bytes as gzip."""
    text = path.read_text(encoding="utf-8")
    soup = BeautifulSoup(text, "html.parser")
    whole = len(gzip.compress(str(soup).encode(), 6))
    for figure in soup.select(".d2l-viz"):
        figure.decompose()
    return whole - len(gzip.compress(str(soup).encode(), 6))


def measured(chrome, folder: Path, pattern: str) -> dict[str, dict[str, float]]:
    """Of the pages of a built book: kB over the line, kB of its figures, seconds to paint."""
    found = {}
    names = sorted(path.relative_to(folder).as_posix() for path in folder.glob(pattern))
    with serving(Compressing, directory=folder) as address:
        for name in names:
            visits = [opened(chrome, address, name) for _ in range(TIMES)]
            found[name] = {
                "kilobytes": round(median(visit["bytes"] for visit in visits) / 1000, 1),
                "of_figures": round(figures_bytes(folder / name) / 1000, 1),
                "first_paint": round(median(visit["first_paint"] for visit in visits), 2),
                "outside": max(visit["outside"] for visit in visits),
            }
            print(f"{name:45}", found[name], flush=True)
    return found


def stock(folder: Path) -> Path:
    """The sample book of Jupyter Book, built with its own settings."""
    start = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    for command in (["create", str(folder)], ["build", str(folder), "--quiet"]):
        subprocess.run([*start, *command], check=True, stdout=subprocess.DEVNULL)
    return folder / "_build" / "html"


def main() -> None:
    if not (SITE / "index.html").is_file():
        sys.exit(f"there are no pages in {SITE.relative_to(ROOT)}: run `make book` first")
    path, done = find_or_install()
    if path is None:
        sys.exit(done)
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        chrome = launched(playwright, path)
        record = {
            "line": "1.6 Mbit/s, 150 ms",
            "browser": chrome.version,
            "stock": measured(chrome, stock(Path(folder, "stock")), "notebooks.html"),
            "book": {
                **measured(chrome, SITE, "*.html"),
                **measured(chrome, SITE, "[bn]*/*.html"),
            },
        }
        chrome.close()
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
