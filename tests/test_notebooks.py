"""The rules that every chapter keeps."""

import json
import re
from itertools import pairwise
from pathlib import Path
from statistics import median

import nbformat
import pytest
import yaml

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SETUP = (ROOT / "book" / "setup_cell.py").read_text(encoding="utf-8").rstrip("\n")
LONGEST, TYPICAL = 30, 10  # lines of a code cell
FORBIDDEN = re.compile(
    r"^\s*[!%]\s*pip|filterwarnings|simplefilter|\.tight_layout\(", flags=re.MULTILINE
)

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def tags(cell):
    return cell.metadata.get("tags", [])


def contents():
    """The documents that the table of contents names."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]


def test_every_notebook_is_in_the_contents_in_order():
    named = [Path(file).name for file in contents() if file.startswith("notebooks/")]
    assert [path.stem for path in NOTEBOOKS] == named
    assert named == sorted(named)


@each
def test_is_valid_and_has_the_kernel_that_everyone_has(path):
    raw = json.loads(path.read_text(encoding="utf-8"))
    assert (raw["nbformat"], raw["nbformat_minor"]) == (4, 5)
    nbformat.validate(raw)
    ids = [cell["id"] for cell in raw["cells"]]
    assert len(ids) == len(set(ids))
    assert raw["metadata"]["kernelspec"]["name"] == "python3"


@each
def test_holds_no_outputs(path):
    for cell in code_cells(path):
        assert cell.outputs == [] and cell.execution_count is None, cell.id
        assert not {"execution", "collapsed", "scrolled"} & set(cell.metadata), cell.id


@each
def test_begins_with_label_title_and_setup(path):
    cells = read(path).cells
    topic = path.stem.split("_", 1)[1].replace("_", "-")
    assert cells[0].cell_type == "markdown"
    assert re.match(rf"\(ch-{topic}\)=\n# \S", cells[0].source), f"begin with (ch-{topic})="
    setup = code_cells(path)[0]
    assert re.sub(r'WHEEL = ".*"', 'WHEEL = ""', setup.source.rstrip("\n")) == SETUP
    assert "hide-input" in tags(setup)


@each
def test_cells_are_short(path):
    lengths = [len(cell.source.splitlines()) for cell in code_cells(path)[1:]]
    assert max(lengths) <= LONGEST
    assert median(lengths) <= TYPICAL


@each
def test_prose_stands_between_code_cells(path):
    """A second code cell in a row checks the first, or is a stub's checker."""
    cells = read(path).cells
    for first, second in pairwise(cells):
        if first.cell_type == second.cell_type == "code":
            checks = re.search(r"assert|check", second.source) or "raises-exception" in tags(second)
            assert checks, f"no prose between cells {first.id} and {second.id}"


@each
def test_installs_nothing_and_silences_nothing(path):
    for cell in code_cells(path)[1:]:
        assert not FORBIDDEN.search(cell.source), cell.id


@each
def test_figures_are_described(path):
    """Where a cell names a figure it gives caption and alt text; the built page is tested too."""
    names = []
    for cell in code_cells(path):
        described = cell.metadata.get("mystnb", {})
        if "figure" in described or "image" in described:
            assert described["figure"]["caption"].strip(), cell.id
            assert len(described["image"]["alt"].split()) >= 4, cell.id
            names.append(described["figure"]["name"])
    assert len(names) == len(set(names))


@each
def test_directives_can_be_read_where_they_are_not_known(path):
    """JupyterLab, Colab and GitHub show what stands in backticks as code, and not its title."""
    for cell in read(path).cells:
        assert cell.cell_type == "code" or not re.search(r"^`{3,}\{", cell.source, re.MULTILINE)


@each
def test_exercises_have_folded_solutions(path):
    text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    labels = re.findall(r"\{exercise(?:-start)?\}[^\n]*\n(?::[^\n]*\n)*?:label: (\S+)", text)
    solutions = re.findall(r"\{solution(?:-start)?\} (\S+)\n((?::[^\n]*\n)*)", text)
    assert sorted(labels) == sorted(label for label, _ in solutions)
    assert all("dropdown" in options for _, options in solutions)
