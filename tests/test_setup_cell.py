"""The first code cell of a chapter, in each place where a reader may open it. No network."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from serving import Quiet, serving

CELL = (Path(__file__).parents[1] / "book" / "setup_cell.py").read_text(encoding="utf-8")
SAMPLE = "def use_style():\n    print('styled from', __file__)\n"

# Takes the editable installation away, so that the cell finds what the test put there.
HIDE = """
import sys
from pathlib import Path
sys.path = [p for p in sys.path if not Path(p, "d2l_lite", "__init__.py").is_file()]
sys.meta_path = [f for f in sys.meta_path if "editable" not in getattr(f, "__module__", "").lower()]
"""


def run(cell, folder, hidden=True, **environment):
    """Run a cell in a new Python whose working folder is `folder`; return the finished process."""
    code = (HIDE if hidden else "") + cell + "\nprint(torch.initial_seed())\n"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def write_package(folder):
    (folder / "d2l_lite").mkdir(parents=True)
    (folder / "d2l_lite" / "__init__.py").write_text(SAMPLE)


def test_uses_the_installed_package(tmp_path):
    write_package(tmp_path / "installed")
    done = run(CELL, tmp_path, PYTHONPATH=str(tmp_path / "installed"), hidden=False)
    assert done.returncode == 0, done.stderr
    assert "styled from" in done.stdout and "installed" in done.stdout
    assert done.stdout.splitlines()[-1] == "0"  # the seed


def test_uses_a_checkout_above(tmp_path):
    write_package(tmp_path / "clone")
    (tmp_path / "clone" / "notebooks" / "deeper").mkdir(parents=True)
    done = run(CELL, tmp_path / "clone" / "notebooks" / "deeper")
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "clone") in done.stdout


def test_says_what_to_do_where_there_is_neither(tmp_path):
    done = run(CELL, tmp_path)
    assert done.returncode != 0
    assert "ModuleNotFoundError: d2l_lite is missing" in done.stderr
    assert "pip install -e ." in done.stderr


@pytest.fixture
def address(tmp_path):
    """Where a wheel of a small d2l_lite is served, on this machine."""
    name, info = "d2l_lite-0.1.0-py3-none-any.whl", "d2l_lite-0.1.0.dist-info"
    files = {
        "d2l_lite/__init__.py": SAMPLE,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: d2l_lite\nVersion: 0.1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    (tmp_path / "served").mkdir()
    with zipfile.ZipFile(tmp_path / "served" / name, "w") as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)
    with serving(Quiet, directory=tmp_path / "served") as server:
        yield f"{server}/{name}"


def test_installs_from_the_stamped_address(tmp_path, address):
    site = tmp_path / "site"
    site.mkdir()
    stamped = CELL.replace('WHEEL = ""', f'WHEEL = "{address}"')
    assert stamped != CELL
    pip = {"PIP_TARGET": str(site), "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = run(stamped, tmp_path, PYTHONPATH=str(site), NO_PROXY="127.0.0.1", **pip)
    assert done.returncode == 0, done.stderr
    assert str(site) in done.stdout
