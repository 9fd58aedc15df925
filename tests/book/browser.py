"""A Chrome or Chromium to look at pages with, installed where that may be; a server of pages."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
# Where Playwright keeps its own in a user's folder: on Linux, macOS and Windows.
OWN = (
    ".cache/ms-playwright/chromium-*/chrome-linux*/chrome",
    "Library/Caches/ms-playwright/chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
    "AppData/Local/ms-playwright/chromium-*/chrome-win*/chrome.exe",
)
APT = ("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "chromium")


def find():
    """The path of a browser that is here: named by $CHROME, on the PATH, or Playwright's own."""
    if os.environ.get("CHROME"):
        return os.environ["CHROME"]
    found = next(filter(None, map(shutil.which, NAMES)), None)
    own = [MAC, *(path for pattern in OWN for path in Path.home().glob(pattern))]
    return found or next((str(path) for path in own if path.is_file()), None)


def install():
    """Install one: Debian's where we are root, else the one that Playwright downloads."""
    if sys.platform == "linux" and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "--quiet"], check=False)
        subprocess.run(APT, check=False)
    if find() is None:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


def find_or_install():
    """The path of a browser, and what was done to get it; None where there is none to be had."""
    found = find()
    if found:
        return found, f"using the browser {found}"
    install()
    found = find()
    done = (
        f"installed the browser {found}" if found else "no Chrome or Chromium: name one in CHROME"
    )
    return found, done


@contextmanager
def served(folder) -> Iterator[str]:
    """Serve a folder over http on this machine alone; its address."""
    handler = partial(_Quiet, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass
