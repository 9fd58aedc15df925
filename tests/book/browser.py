"""A Chrome or Chromium to look at pages with, installed where that may be."""

import os
import shutil
import subprocess
import sys
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


def launched(playwright, path):
    """The browser at `path`, without a window."""
    # As root, in a container, Chromium's own sandbox does not work.
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    arguments = ["--no-sandbox"] if root else []
    return playwright.chromium.launch(executable_path=path, args=arguments)
