"""A chapter on Colab, played offline: a notebook alone in a folder, and a site to install from.

Colab has torch and the rest, and no d2l_lite. The wheel, the models and the records are served from
this machine. Two chapters are played; `COLAB=all` plays them all, which takes some minutes.
"""

import os

import build_book
import publish
import pytest
from fresh import Environment
from serving import Quiet, serving

LOADS, READS = "03_queries_keys_values", "09_data"  # a shipped model; the records of experiments
ALL = [path.stem for path in build_book.notebooks()]
CHAPTERS = ALL if os.environ.get("COLAB") == "all" else [LOADS, READS]
FETCHED = {
    LOADS: "/book/models/mini-fra-long-rnn-attention/model.safetensors",
    READS: "/experiments/",
}
WHERE = "import torch, numpy; print(torch.__file__, torch.__version__, numpy.__version__)"


class Handler(Quiet):
    """Serves a folder and keeps in mind what it was asked for."""

    def __init__(self, *arguments, asked, **named):
        self.asked = asked
        super().__init__(*arguments, **named)

    def log_request(self, code="-", size="-"):
        self.asked.append(f"{self.path} {int(code)}")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The address of the book's files, that of the wheel there, and what is asked for."""
    files = tmp_path_factory.mktemp("files")
    publish.copy_files(files)
    asked = []  # with the answers
    with serving(Handler, directory=files, asked=asked) as server:
        address = f"{server}/"
        wheel = publish.build_wheel(files, address)
        yield address, f"{address}{wheel.name}", asked


@pytest.fixture
def colab(tmp_path):
    """An environment like Colab's: its packages, its `google.colab`, and no d2l_lite."""
    environment = Environment(tmp_path / "environment")
    (environment.site / "google" / "colab").mkdir(parents=True)
    (environment.site / "google" / "colab" / "__init__.py").touch()
    return environment


def play(environment, folder, text):
    """Run a notebook's text from top to bottom in a folder that holds nothing else."""
    folder.mkdir()
    (folder / "chapter.ipynb").write_text(text, encoding="utf-8")
    environment.variables |= {"TQDM_DISABLE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    nbmake = ["-m", "pytest", "-q", "--nbmake", "--nbmake-timeout=1200", "chapter.ipynb"]
    return environment.run(*nbmake, cwd=folder)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_runs_alone(chapter, site, colab, tmp_path):
    address, wheel, asked = site
    asked.clear()
    text = (build_book.NOTEBOOKS / f"{chapter}.ipynb").read_text(encoding="utf-8")
    before = colab.run("-c", WHERE, cwd=tmp_path).stdout
    done = play(colab, tmp_path / "alone", publish.stamp(text, wheel, address))
    assert done.returncode == 0, done.stdout
    told = "\n".join(asked)
    assert all(line.endswith(" 200") for line in asked), told
    assert f"/{wheel.removeprefix(address).split('#')[0]} " in told
    assert FETCHED.get(chapter, "") in told
    # Nothing but d2l_lite was installed, and the torch that was there is the one that is there.
    assert {name.split("-")[0] for name in colab.installed()} == {"d2l_lite", "google"}
    assert colab.run("-c", WHERE, cwd=tmp_path).stdout == before


def test_an_unstamped_chapter_says_what_is_missing(colab, tmp_path):
    text = (build_book.NOTEBOOKS / f"{ALL[0]}.ipynb").read_text(encoding="utf-8")
    done = play(colab, tmp_path / "alone", text)
    assert done.returncode != 0
    assert "d2l_lite is missing" in done.stdout
