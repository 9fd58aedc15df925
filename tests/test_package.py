"""What the package says of itself: its version, its names, and the libraries that it allows."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import bounds
import pytest

import d2l_lite

ROOT = Path(__file__).parents[1]


def test_the_command_line_says_the_version():
    command = [sys.executable, "-m", "d2l_lite", "--version"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"d2l_lite {d2l_lite.__version__}\n")


def test_the_changelog_has_a_section_of_this_version_and_one_for_what_comes():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[(.*?)\](?: - (\d{4}-\d\d-\d\d))?$", text, re.MULTILINE)
    assert headings[0] == ("Unreleased", "")
    version, date = headings[1]
    assert version == d2l_lite.__version__ and date


def test_all_names_what_is_imported_for_the_reader():
    tree = ast.parse(Path(d2l_lite.__file__).read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert sorted(d2l_lite.__all__) == sorted(a.name for node in imports for a in node.names)


def test_every_dependency_has_a_lower_bound_and_nothing_else():
    assert bounds.bounds({"dependencies": ["a_b>=1.2", "c>=3"]}) == {"a_b": "1.2", "c": "3"}
    assert set(bounds.bounds(bounds.PROJECT)) > {"torch", "numpy"}


@pytest.mark.parametrize("line", ["torch", "torch==2.4", "torch>=2.4,<3", "torch[x]>=2"])
def test_another_dependency_is_refused(line):
    with pytest.raises(ValueError, match=re.escape(repr(line))):
        bounds.bounds({"dependencies": [line]})


def test_oldest_and_newest_are_asked_for_with_the_same_pinned_tools():
    oldest, newest = bounds.wanted("oldest"), bounds.wanted("newest")
    libraries = bounds.bounds(bounds.PROJECT)
    assert oldest[: len(libraries)] == [f"{name}=={bound}" for name, bound in libraries.items()]
    assert newest[: len(libraries)] == list(libraries)
    tools = oldest[len(libraries) :]
    assert tools == newest[len(libraries) :]
    assert all("==" in tool for tool in tools)
    assert not libraries.keys() & {tool.split("==")[0] for tool in tools}


def test_the_pinned_versions_are_allowed():
    """What the book is built with lies within what d2l_lite allows."""
    pins = dict(re.findall(r"^([\w-]+)==([\d.]+)", (ROOT / "requirements.txt").read_text(), re.M))
    for name, bound in bounds.bounds(bounds.PROJECT).items():
        pinned, least = ([int(n) for n in v.rstrip(".").split(".")] for v in (pins[name], bound))
        assert pinned >= least, name
