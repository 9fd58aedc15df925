"""A virtual environment that has this one's packages, but no d2l_lite and no network."""

import os
import subprocess
import venv
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

SITE = Path(pytest.__file__).parents[1]  # where this environment keeps its packages


class Environment:
    """A fresh environment in `folder`, which sees the packages of `names`, or all but d2l_lite.

    It sees them through links: pip takes them for installed, and reads no .pth file among them, so
    that d2l_lite stays hidden however it is installed here.
    """

    def __init__(self, folder, names=None):
        venv.create(folder, symlinks=os.name != "nt")
        self.python = folder / "bin" / "python"
        [self.site] = folder.glob("lib/python*/site-packages")
        links = folder / "packages"
        links.mkdir()
        entries = {path.name for path in SITE.iterdir()} if names is None else top_levels(names)
        for name in entries:
            if not name.startswith(("d2l_lite", "__editable__")) and not name.endswith(".pth"):
                (links / name).symlink_to(SITE / name)
        (self.site / "packages.pth").write_text(str(links))
        # What the user's own environment says is not to be heard; an address outside is refused.
        refused = "http://127.0.0.1:9"
        self.variables = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIP_", "PYTHON", "D2L_LITE")) and "proxy" not in name.lower()
        } | {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
            "HTTP_PROXY": refused,
            "HTTPS_PROXY": refused,
            "NO_PROXY": "127.0.0.1",
            "XDG_CACHE_HOME": str(folder / "cache"),
        }

    def run(self, *arguments, cwd):
        """Run its Python in a folder; the finished process, its output and errors as one text."""
        command = [self.python, *map(str, arguments)]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.run(command, cwd=cwd, env=self.variables, **streams)

    def installed(self):
        """What pip has put into it."""
        return {path.name for path in self.site.iterdir()} - {"packages.pth", "__pycache__"}


def top_levels(names):
    """The files and folders of the named packages, and of all that they ask for, in `SITE`."""
    entries, todo, done = set(), [Requirement(name) for name in names], set()
    while todo:
        asked = todo.pop()
        if asked.name not in done and (
            asked.marker is None or asked.marker.evaluate({"extra": ""})
        ):
            done.add(asked.name)
            package = distribution(asked.name)
            entries |= {file.parts[0] for file in package.files} - {"..", "__pycache__"}
            todo += map(Requirement, package.requires or ())
    return entries
