"""How a browser is found or installed, on pretended machines: nothing is installed here."""

import os
import sys
from pathlib import Path

import browser
import pytest


class Machine:
    """A computer with an empty PATH and home; `ran` are the commands that were called on it."""

    def __init__(self, folder):
        self.bin, self.home, self.ran, self.gives = folder / "bin", folder / "home", [], {}

    def add(self, path):
        """Put a program there; its path as text."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o755)
        return str(path)

    def run(self, command, check):
        assert not check  # a failed installation is no crash: nothing is found then
        self.ran.append(command[0] if command[0] != sys.executable else command[2])
        for path in self.gives.get(" ".join(command[-2:]), ()):
            self.add(path)


APT, OWN = "--no-install-recommends chromium", "install chromium"  # how the commands end
PLAYWRIGHTS = {
    "linux": ".cache/ms-playwright/chromium-1200/chrome-linux64/chrome",
    "darwin": "Library/Caches/ms-playwright/chromium-1200/chrome-mac/A.app/Contents/MacOS/A",
    "win32": "AppData/Local/ms-playwright/chromium-1200/chrome-win/chrome.exe",
}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    machine = Machine(tmp_path)
    machine.bin.mkdir()
    monkeypatch.delenv("CHROME", raising=False)
    monkeypatch.setenv("PATH", str(machine.bin))
    monkeypatch.setattr(Path, "home", lambda: machine.home)
    monkeypatch.setattr(browser, "MAC", tmp_path / "Applications" / "Google Chrome")
    monkeypatch.setattr(browser.subprocess, "run", machine.run)
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    return machine


def test_the_one_that_is_named_comes_first(machine, monkeypatch):
    machine.add(machine.bin / "chromium")
    monkeypatch.setenv("CHROME", "/opt/mine")
    assert browser.find_or_install() == ("/opt/mine", "using the browser /opt/mine")
    assert not machine.ran


@pytest.mark.parametrize("name", browser.NAMES)
def test_one_on_the_path_is_used(machine, name):
    path = machine.add(machine.bin / name)
    assert browser.find_or_install() == (path, f"using the browser {path}")
    assert not machine.ran


@pytest.mark.parametrize("path", [*PLAYWRIGHTS.values(), None])
def test_one_that_is_not_on_the_path_is_used(machine, path):
    path = machine.add(machine.home / path if path else browser.MAC)
    assert browser.find_or_install() == (path, f"using the browser {path}")
    assert not machine.ran


def test_for_root_debians_is_installed(machine, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    machine.add(machine.bin / "apt-get")
    machine.gives[APT] = [machine.bin / "chromium"]
    path = str(machine.bin / "chromium")
    assert browser.find_or_install() == (path, f"installed the browser {path}")
    assert machine.ran == ["apt-get", "apt-get"]


@pytest.mark.parametrize("platform", PLAYWRIGHTS)
@pytest.mark.parametrize("root", [True, False])
def test_elsewhere_playwright_downloads_its_own(machine, monkeypatch, platform, root):
    """Also for root, where there is no apt-get, or what it has cannot be had."""
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    if platform == "linux":
        machine.add(machine.bin / "apt-get")
    path = machine.home / PLAYWRIGHTS[platform]
    machine.gives[OWN] = [path]
    assert browser.find_or_install() == (str(path), f"installed the browser {path}")
    apt = ["apt-get"] * 2 if root and platform == "linux" else []
    assert machine.ran == [*apt, "playwright"]


def test_where_there_is_none_to_be_had_it_is_said(machine):
    found, told = browser.find_or_install()
    assert found is None and told == "no Chrome or Chromium: name one in CHROME"
    assert machine.ran == ["playwright"]
