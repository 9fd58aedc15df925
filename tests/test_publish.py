"""Publishing: each step on a site of two pages, and what the last check finds."""

import hashlib
import json
import os
import re
import subprocess
import zipfile
from pathlib import Path

import build_book
import check_links
import publish
import push_notebooks
import pytest
import yaml
from bs4 import BeautifulSoup
from plain import plain

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ENVIRONMENT = {"GITHUB_REPOSITORY": "Someone/else-entirely", "GITHUB_REF_NAME": "trunk"}
ADDRESS = "https://someone.github.io/else-entirely/"
GITHUB = "https://github.com/Someone/else-entirely"
COLAB = "https://colab.research.google.com/github/Someone/else-entirely/blob/notebooks/"
DRAWING = "![A drawing](../book/figures/encoder.svg)"
SETUP = (ROOT / "book" / "setup_cell.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [None, "", "book", "a/b/c", "a b/c", "/book", "someone/"])
def test_without_a_repository_it_says_how_to_name_one(name):
    environment = {} if name is None else {"GITHUB_REPOSITORY": name}
    with pytest.raises(build_book.BookError, match=r"GITHUB_REPOSITORY is .*someone/book"):
        publish.main(environment)


def notebook(*cells):
    """The text of a notebook of pairs (cell type, source)."""
    told = [
        {"cell_type": kind, "source": text.splitlines(keepends=True), "metadata": {}}
        for kind, text in cells
    ]
    return json.dumps({"cells": told, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


CHAPTER = notebook(("markdown", f"# Título\n\n{DRAWING}"), ("code", SETUP))


def test_a_stamped_notebook_differs_in_the_address_and_the_drawings_alone():
    text = publish.stamp(CHAPTER, "https://a.example/w.whl", "https://a.example/")
    title, setup = json.loads(text)["cells"]
    assert "".join(title["source"]) == (
        "# Título\n\n![A drawing](https://a.example/book/figures/encoder.svg)"
    )
    wheel = 'WHEEL = "https://a.example/w.whl"'
    assert "".join(setup["source"]) == SETUP.replace('WHEEL = ""', wheel)
    assert '"# Título\\n"' in text and text.endswith("}\n")


@pytest.mark.parametrize("cells", [[("code", "1")], [("code", SETUP)] * 2, [("markdown", SETUP)]])
def test_a_notebook_without_one_setup_cell_cannot_be_stamped(cells):
    with pytest.raises(build_book.BookError, match="one line WHEEL"):
        publish.stamp(notebook(*cells), "https://a.example/w.whl", "")


MYST = """(sec-all)=
## A {term}`mask`

See {ref}`above <sec-1>`, {numref}`fig-mask`, {eq}`eq-sum` and {cite:t}`a2015,b2016`, not `{}`.

::::{figure-md} fig-mask
:class: wide

![A drawing](../book/figures/encoder.svg)

Dark: hidden.
::::

$$
1 + 1 = 2.
$$ (eq-sum)

:::{note}

Mind the {term}`mask <mask>`.

:::
"""
BUILT = """<nav><a href="#x"><span class="std-ref">A sidebar</span></a></nav><article>
<a href="../book/glossary.html#m"><span class="std std-term">mask</span></a>
<a href="02_b.html#sec-1"><span class="std std-ref">above [1]</span></a>
<a href="#fig-mask"><span class="std std-numref">Figure 3.1</span></a>
<a class="reference internal" href="#equation-eq-sum">(3.2)</a>
<span class="bibtex-citation">A <em>et al.</em> [<a href="../book/r.html#a">2015</a>]</span>
<figure id="fig-mask"><span class="caption-number">Figure 3.1 </span> Dark</figure>
<div class="math" id="equation-eq-sum"><span class="eqno">(3.2)<a href="#e">#</a></span>
<a href="../book/glossary.html#m"><span class="std std-term">Mask</span></a>
<div id="ex-one"><p class="admonition-title"><span class="caption-number">Exercise 3.1 </span>
(Find it)</p></div></article>"""
PLAIN = """## A [mask](https://a.example/book/glossary.html#m)

See [above \\[1\\]](https://a.example/notebooks/02_b.html#sec-1), \
[Figure 3.1](https://a.example/notebooks/03_c.html#fig-mask), \
[(3.2)](https://a.example/notebooks/03_c.html#equation-eq-sum) and \
A *et al.* \\[[2015](https://a.example/book/r.html#a)\\], not `{}`.

**Figure 3.1**

![A drawing](../book/figures/encoder.svg)

Dark: hidden.

$$
1 + 1 = 2.
\\tag{3.2}
$$

**Note**

Mind the [Mask](https://a.example/book/glossary.html#m)."""
EXERCISE = """:::{exercise-start} Find it
:label: ex-one
:class: bug
:::

Where?"""
SOLUTION = """:::{solution-start} ex-one
:label: sol-one
:class: dropdown
:::

There."""


def article(html):
    return BeautifulSoup(html, "html.parser").select_one("article")


def test_a_plain_notebook_says_what_its_page_says():
    cells = [("markdown", text) for text in (MYST, EXERCISE, ":::{exercise-end}\n:::", SOLUTION)]
    cells += [("code", "{1: `:::`}"), ("code", "")]
    page = "https://a.example/notebooks/03_c.html"
    found = json.loads(plain(notebook(*cells), article(BUILT), page))["cells"]
    assert ["".join(cell["source"]) for cell in found] == [
        PLAIN,
        "**Exercise 3.1 (Find it)**\n\nWhere?",
        "**Solution to Exercise 3.1**\n\nThere.",
        "{1: `:::`}",
        "",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{term}`mask` {ref}`a`", "the notebook has {'term': 1, 'ref': 1}, and its page p {}"),
        ("A {doc}`page`", "the plain form of p has '{doc}`' in it"),
        ("- :::{note}\n  In a list", "the plain form of p has ':::{note}' in it"),
        (":::{math}\n1\n:::", "there is no plain form for :::{math}"),
        (":::{solution-start} ex_one\n:::", "the page has no #ex_one .caption-number; labels"),
        ("$$\n1\n$$ (eq-b)", "the page has no #equation-eq-b .eqno"),
    ],
)
def test_what_cannot_be_made_plain_is_an_error(text, message):
    with pytest.raises(build_book.BookError, match=re.escape(message)):
        plain(notebook(("markdown", text)), article("<article></article>"), "p")


def page(*links):
    return "<article><h1>Page</h1></article>" + "".join(
        f'<a href="{link}">there</a>' for link in links
    )


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A small book, its pages "built" at once, its package without content; returns `_build`."""
    tmp_path = tmp_path_factory.mktemp("book")
    for name in ("d2l_lite/__init__.py", "d2l_lite/__pycache__/x.pyc", "notebooks/01_a.ipynb"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "d2l_lite" / "__init__.py").write_text('"""Doc."""\n\n__version__ = "1.0"\n')
    (tmp_path / "d2l_lite" / "__pycache__" / "x.pyc").write_bytes(b"")
    (tmp_path / "notebooks" / "01_a.ipynb").write_text(CHAPTER)
    for name in publish.PACKAGE:
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "book" / "figures").mkdir(parents=True)
    (tmp_path / "book" / "figures" / "encoder.svg").write_text("<svg/>")
    (tmp_path / "book" / "references.bib").write_text("url = {https://github.com/cited/code}")
    (tmp_path / "records.json").write_text("[1]")
    build = tmp_path / "_build"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish, "ROOT", tmp_path)
        patch.setattr(publish, "SITE", build / "site")
        patch.setattr(publish, "BRANCH", build / "notebooks-branch")
        patch.setattr(publish, "book_files", lambda: ["experiments/records.json"])
        patch.setattr(publish, "book_file", lambda name: tmp_path / "records.json")
        patch.setattr(build_book, "NOTEBOOKS", tmp_path / "notebooks")
        patch.setattr(build_book, "INDEX", build / "html" / "index.html")
        patch.setattr(build_book, "main", lambda _: build_pages(build / "html"))
        yield build


def build_pages(html):
    (html / "_sources" / "notebooks").mkdir(parents=True)
    (html / "_sources" / "notebooks" / "01_a.ipynb").write_text(CHAPTER)
    links = [f"{GITHUB}/edit/trunk/notebooks/01_a.ipynb", f"{GITHUB}/issues/new?title=x"]
    links += [COLAB + "01_a.ipynb", f"{ADDRESS}files/book.zip", ADDRESS, GITHUB]
    links += ["https://github.com/cited/code", "https://arxiv.org/abs/1409.0473", "a.html"]
    (html / "index.html").write_text(page(*links))
    (html / "notebooks").mkdir()
    (html / "notebooks" / "01_a.html").write_text(page())


@pytest.fixture(scope="module")
def published(book):
    """The small book after `publish.main`; returns `_build` and the wheel's address."""
    publish.main(ENVIRONMENT)
    [wheel] = (book / "site" / "files").glob("*.whl")
    return book, f"{ADDRESS}files/{wheel.name}"


def test_the_whole_site_is_there_and_hashes_fit(published):
    build, address = published
    site, files = build / "site", build / "site" / "files"
    assert (site / ".nojekyll").exists()
    for path in (build / "notebooks-branch", site / "_sources" / "notebooks"):
        text = (path / "01_a.ipynb").read_text()
        assert address in text and f"{ADDRESS}files/book/figures/encoder.svg" in text
    assert (build.parent / "notebooks" / "01_a.ipynb").read_text() == CHAPTER
    readme = (build / "notebooks-branch" / "README.md").read_text()
    assert f"]({ADDRESS})" in readme and f"]({COLAB}01_a.ipynb)" in readme
    lines = [line.split("  ") for line in (files / "SHA256SUMS").read_text().splitlines()]
    assert {name: total for total, name in lines} == {
        path.relative_to(files).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files.rglob("*")
        if path.is_file() and path.name != "SHA256SUMS"
    }
    with zipfile.ZipFile(next(files.glob("*.whl"))) as wheel:
        stamp = json.loads(wheel.read("d2l_lite/published.json"))
        assert not [name for name in wheel.namelist() if "pycache" in name]
    total = hashlib.sha256(b"[1]").hexdigest()
    assert stamp == {"address": f"{ADDRESS}files/", "files": {"experiments/records.json": total}}
    with zipfile.ZipFile(files / "book.zip") as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert address in archive.read("book/_sources/notebooks/01_a.ipynb").decode()
    assert "book/index.html" in names and not [name for name in names if "files/" in name]


def test_the_same_content_gives_the_same_wheel_and_zip(published):
    build, _ = published
    [wheel], old = (build / "site" / "files").glob("*.whl"), (build / "site/files/book.zip")
    before = wheel.read_bytes(), old.read_bytes()
    for path in build.parent.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    publish.main(ENVIRONMENT)
    assert (wheel.read_bytes(), old.read_bytes()) == before


def write(name, text):
    return lambda build: (build / name).write_text(text)


FAULTS = {
    "other-copy": (
        write("site/a.html", page("https://github.com/someone-else/book/blob/main/x")),
        r"site/a\.html links to https://github\.com/someone-else/book/blob/main/x$",
    ),
    "longer-name": (
        write("site/a.html", page(GITHUB + "-too")),
        r"site/a\.html links to \S+else-entirely-too$",
    ),
    "other-pages": (
        write("site/deep.xml", "<loc>https://other.github.io/else-entirely/a.html</loc>"),
        r"site/deep\.xml links to https://other\.github\.io",
    ),
    "other-branch": (
        write("site/a.html", page(COLAB.replace("/blob/notebooks/", "/blob/main/") + "01_a.ipynb")),
        r"site/a\.html links to \S+/blob/main/01_a",
    ),
    "no-notebook": (
        write("site/a.html", page(COLAB + "02_b.ipynb")),
        r"site/a\.html links to \S+02_b\.ipynb, which is not there",
    ),
    "no-page": (
        write("site/a.html", page(ADDRESS + "gone.html#top")),
        r"site/a\.html links to \S+gone\.html#top, which is not there",
    ),
    "in-notebook": (
        write(
            "notebooks-branch/b.md", "[there](https://raw.githubusercontent.com/a/b/main/c.whl)."
        ),
        r"notebooks-branch/b\.md links to https://raw\.githubusercontent\.com/a/b/main/c\.whl$",
    ),
    "unstamped": (
        write("site/_sources/notebooks/02_b.ipynb", CHAPTER),
        r"site/_sources/notebooks/02_b\.ipynb does not install https://someone",
    ),
    "changed-record": (
        write("site/files/experiments/records.json", "[2]"),
        r"files/experiments/records\.json does not have the SHA-256 [0-9a-f]{64}$",
    ),
    "changed-zip": (write("site/files/book.zip", ""), r"files/book\.zip does not have"),
}


def test_the_last_check_finds_every_fault_and_names_its_page(published):
    build, wheel = published
    publish.check(ENVIRONMENT, wheel)
    for fault, named in FAULTS.values():
        kept = {path: path.read_bytes() for path in build.rglob("*") if path.is_file()}
        fault(build)
        with pytest.raises(build_book.BookError) as caught:
            publish.check(ENVIRONMENT, wheel)
        first, *problems = str(caught.value).splitlines()
        assert first == "The site must not be published:"
        assert all(re.search(named, problem) for problem in problems), problems
        for path in [path for path in build.rglob("*") if path.is_file()]:
            path.write_bytes(kept[path]) if path in kept else path.unlink()
    with pytest.raises(build_book.BookError, match=r"01_a\.ipynb does not install"):
        publish.check(ENVIRONMENT, wheel + "0")


def git(*arguments):
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@localhost", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_notebooks_are_pushed_to_their_branch_and_nothing_else_is_touched(tmp_path):
    remote, clone = tmp_path / "remote.git", tmp_path / "clone"
    git("init", "--quiet", "--bare", "--initial-branch=main", remote)
    git("clone", "--quiet", remote, clone)
    (clone / "book.md").write_text("The book.")
    git("-C", clone, "add", "book.md")
    git("-C", clone, "commit", "--quiet", "--message=Begin")
    git("-C", clone, "push", "--quiet", "origin", "HEAD:main")
    folder = clone / "_build" / "notebooks-branch"
    folder.mkdir(parents=True)
    with pytest.raises(SystemExit, match="make publish-dry-run"):
        push_notebooks.push("origin", clone, folder)
    for round_, names in enumerate([["a.ipynb", "README.md"], ["b.ipynb"], ["b.ipynb"]]):
        for old in folder.iterdir():
            old.unlink()
        for name in names:
            (folder / name).write_text(name)
        commit = push_notebooks.push("origin", clone, folder)
        assert git("-C", remote, "rev-parse", "notebooks").strip() == commit
        assert git("-C", remote, "ls-tree", "--name-only", "notebooks").split() == sorted(names)
        history = git("-C", remote, "log", "--format=%s", "notebooks").splitlines()
        assert len(history) == min(round_ + 1, 2)
    assert git("-C", clone, "status", "--porcelain", "--untracked-files=no") == ""
    assert git("-C", clone, "branch", "--format=%(refname:short)").strip() == "main"
    with pytest.raises(SystemExit, match=r"ls-remote .*failed"):
        push_notebooks.push(str(tmp_path / "nowhere"), clone, folder)


def test_a_refused_robot_is_not_a_wrong_address():
    entry = {"filename": "a.md", "lineno": 3, "uri": "https://a.example/x", "status": "broken"}
    lines = [
        entry | {"info": "404 Client Error: Not Found"},
        entry | {"info": "403 Client Error: Forbidden"},
        entry | {"info": "", "status": "working"},
    ]
    found = check_links.broken("".join(json.dumps(line) + "\n" for line in lines))
    assert found == ["a.md:3: https://a.example/x (404 Client Error: Not Found)"]


# What GitHub runs


def targets():
    """The targets of the Makefile."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][\w-]*):", text, flags=re.MULTILINE))


def test_there_are_the_three_workflows():
    assert [path.stem for path in WORKFLOWS] == ["links", "publish", "versions"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_step_of_a_workflow_is_a_make_target_or_an_action_of_a_major_version(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"} and "group" in workflow["concurrency"]
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            if "run" in step:
                [target] = re.findall(r"^make ([\w-]+)$", step["run"])
                assert target in targets()
            else:
                assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
        checkouts = [
            step for step in job["steps"] if step.get("uses", "").startswith("actions/che")
        ]
        writes = "write" in job.get("permissions", {}).get("contents", "")
        for step in checkouts:  # only a job that pushes keeps the right to
            assert step.get("with", {}).get("persist-credentials", True) is writes


def test_no_job_may_write_more_than_it_must():
    workflow = yaml.safe_load((ROOT / ".github/workflows/publish.yml").read_text(encoding="utf-8"))
    allowed = {name: job.get("permissions") for name, job in workflow["jobs"].items()}
    assert allowed == {
        "build": None,
        "deploy": {"pages": "write", "id-token": "write"},
        "notebooks": {"contents": "write"},
    }
    assert workflow["jobs"]["notebooks"]["needs"] == "deploy"


def test_dependabot_looks_after_all_three_kinds_weekly():
    text = (ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8")
    updates = yaml.safe_load(text)["updates"]
    assert {entry["package-ecosystem"] for entry in updates} == {"pip", "npm", "github-actions"}
    assert all(entry["schedule"]["interval"] == "weekly" and entry["groups"] for entry in updates)
