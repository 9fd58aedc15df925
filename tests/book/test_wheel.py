"""The wheel in an environment that has what it asks for and nothing besides: no checkout."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import publish
import pytest
from fresh import Environment

import d2l_lite

PACKAGE = Path(d2l_lite.__file__).parent
# A module that uses the package as a reader would, for the type checker.
TYPED = """
import d2l_lite as d2l

model: d2l.EncoderDecoder = d2l.load_run("runs/mine").model
translations: list[d2l.Translation] = d2l.translate(model, ["Go."])
d2l.translate(model, 3)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel as it is published, with an address that nobody serves."""
    files = tmp_path_factory.mktemp("files")
    publish.copy_files(files)
    return publish.build_wheel(files, "http://127.0.0.1:9/files/")


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """An environment in which pip has installed the wheel, beside what it asks for alone."""
    with zipfile.ZipFile(wheel) as archive:
        [metadata] = [name for name in archive.namelist() if name.endswith("/METADATA")]
        lines = archive.read(metadata).decode().splitlines()
    asked = [line.split(": ")[1] for line in lines if line.startswith("Requires-Dist: ")]
    fresh = Environment(tmp_path_factory.mktemp("fresh"), ["pip", *asked])
    done = fresh.run("-m", "pip", "install", "-q", wheel, cwd=wheel.parent)
    assert done.returncode == 0, done.stdout
    return fresh


def test_holds_every_file_of_the_package(wheel):
    files = {
        path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }
    names = {path.relative_to(PACKAGE.parent).as_posix() for path in files}
    assert {Path(name).suffix for name in names} == {".py", ".typed", ".tsv", ".js", ".css"}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        stamp = json.loads(archive.read("d2l_lite/published.json"))
    assert held == names | {"d2l_lite/published.json"}
    assert "book/models/mini-fra-long-rnn-attention/model.safetensors" in stamp["files"]


def test_an_unpublished_wheel_has_no_address(tmp_path):
    tree = publish.shutil.copytree(PACKAGE, tmp_path / "d2l_lite")
    for name in publish.PACKAGE:
        publish.shutil.copy(PACKAGE.parent / name, tmp_path)
    options = ["--no-deps", "--no-build-isolation", "-q", "-w", str(tmp_path), str(tmp_path)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options], check=True)
    [path] = tmp_path.glob("*.whl")
    assert not (tree / "published.json").exists()
    assert "d2l_lite/published.json" not in zipfile.ZipFile(path).namelist()


def test_gives_the_command_line_with_the_built_in_corpus(environment, tmp_path):
    done = environment.run("-m", "d2l_lite", "--version", cwd=tmp_path)
    assert done.stdout == f"d2l_lite {d2l_lite.__version__}\n"
    few = ["--data", "mini-fra", "--num-examples", "200", "--epochs", "1", "--out", "run"]
    done = environment.run("-m", "d2l_lite", "train", *few, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    done = environment.run("-m", "d2l_lite", "translate", "run", "Tom is tired .", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert len((tmp_path / "run" / "history.jsonl").read_text().splitlines()) == 1


def test_says_where_a_model_would_have_come_from(environment, tmp_path):
    load = "import d2l_lite as d2l; d2l.load_run('mini-fra-long-rnn-attention')"
    done = environment.run("-c", load, cwd=tmp_path)
    last = done.stdout.splitlines()[-1]
    assert "FileNotFoundError" in last and "http://127.0.0.1:9/files/" in last


def test_its_types_reach_a_type_checker(environment, tmp_path):
    (tmp_path / "reader.py").write_text(TYPED)
    strict = ["--strict", "--python-executable", environment.python, "reader.py"]
    checker = [sys.executable, "-m", "mypy", "--config-file=", "--cache-dir=cache", *strict]
    done = subprocess.run(checker, cwd=tmp_path, capture_output=True, text=True)
    [error, _] = done.stdout.splitlines()
    assert error.startswith('reader.py:6: error: Argument 2 to "translate" has incompatible type')
