"""Try d2l_lite with the oldest libraries that pyproject.toml allows, or with the newest there are.

    python book/bounds.py oldest    # what `make oldest` calls, and `make newest` likewise

A fresh environment, `.venv-oldest`, gets these libraries and the tools that requirements.txt names.
There the unit tests run with this tree; then all notebooks with the wheel built from it, alone in a
folder. The wheel finds the book's models and records as a published one does, in a folder beside.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PIP = ("-m", "pip", "--disable-pip-version-check")
# A warning is no error here: what an old library calls may be deprecated in those around it.
PYTEST = ("-m", "pytest", "-q", "--durations=5", "-W", "default::DeprecationWarning")
# What `publish` does for an address on the web, for one on this disk.
BUILD = """
import sys, publish
from pathlib import Path
publish.copy_files(files := Path(sys.argv[1]))
publish.build_wheel(files, files.as_uri() + "/")
"""


def bounds(project):
    """The libraries that a project depends on, by name, and the lower bound of each.

    Raises:
        ValueError: a dependency says something else than that.
    """
    found = {}
    for line in project["dependencies"]:
        if not (match := re.fullmatch(r"([\w-]+)>=([\d.]+)", line)):
            raise ValueError(f"a dependency must be like numpy>=1.26, and is {line!r}")
        found[match[1]] = match[2]
    return found


def tools(requirements, libraries):
    """The lines of requirements.txt that pin what is not one of the libraries."""
    lines = [line.split("#")[0].strip() for line in requirements.splitlines()]
    return [line for line in lines if line and line.split("==")[0] not in libraries]


def wanted(which):
    """What pip is asked for: the libraries, oldest or newest, and the tools."""
    oldest = bounds(PROJECT)
    libraries = [f"{name}=={bound}" for name, bound in oldest.items()]
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return [*(libraries if which == "oldest" else oldest), *tools(requirements, oldest)]


def make_environment(which):
    """Make the environment anew, with libraries and tools; return its Python."""
    folder = ROOT / f".venv-{which}"
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True, symlinks=os.name != "nt")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    subprocess.run([python, *PIP, "install", "-q", "--upgrade", *wanted(which)], check=True)
    return python


def run_unit_tests(python, environment):
    """Run the unit tests with this tree, which the processes that they start see, too."""
    tests = sorted(map(str, ROOT.glob("tests/test_*.py")))
    environment = {**environment, "PYTHONPATH": str(ROOT)}
    subprocess.run([python, *PYTEST, *tests], cwd=ROOT, env=environment, check=True)


def install_wheel(python):
    """Build the wheel and install it; it takes the book's files from a folder beside."""
    files = python.parents[1] / "files"
    path = os.pathsep.join([str(ROOT), str(ROOT / "book")])
    subprocess.run([python, "-c", BUILD, files], env={**os.environ, "PYTHONPATH": path}, check=True)
    subprocess.run([python, *PIP, "install", "-q", *files.glob("*.whl")], check=True)
    subprocess.run([python, *PIP, "check"], check=True)


def run_notebooks(python, environment):
    """Run all notebooks with the installed wheel, in a folder that holds nothing else."""
    with TemporaryDirectory() as folder:
        for notebook in ROOT.glob("notebooks/*.ipynb"):
            shutil.copy(notebook, folder)
        options = ["--nbmake", "--nbmake-timeout=1200", folder]
        subprocess.run([python, *PYTEST, *options], cwd=folder, env=environment, check=True)


def main(which):
    """Make the environment and run everything in it; say in the end with what."""
    python = make_environment(which)
    cache = str(python.parents[1] / "cache")
    quiet = {"TQDM_DISABLE": "1", "OMP_WAIT_POLICY": "PASSIVE", "XDG_CACHE_HOME": cache}
    environment = {**os.environ, **quiet}
    run_unit_tests(python, environment)
    install_wheel(python)
    run_notebooks(python, environment)
    libraries = bounds(PROJECT)
    listing = [python, *PIP, "list", "--format=freeze"]
    found = subprocess.run(listing, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"All passed on Python {version} with the {which} libraries:")
    print("  " + ", ".join(line for line in found if line.split("==")[0] in libraries))


if __name__ == "__main__":
    if sys.argv[1:] not in (["oldest"], ["newest"]):
        sys.exit(__doc__)
    try:
        main(sys.argv[1])
    except (subprocess.CalledProcessError, ValueError) as error:
        sys.exit(f"\n{error}")
