"""Make the site that GitHub Pages serves, with the right links for the repository it runs in.

    GITHUB_REPOSITORY=owner/name python book/publish.py     # what `make publish-dry-run` calls

`_build/site` is the site: the pages, and in `files/` the wheel of d2l_lite, the models and records
that it fetches, the book as a zip, and the SHA-256 of each. `_build/notebooks-branch` holds the
notebooks for Colab, each stamped with the address of the wheel; `push_notebooks.py` pushes them.
Nothing is sent anywhere from here.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

sys.path.insert(0, str(Path(__file__).with_name("_ext")))

import build_book
from bs4 import BeautifulSoup
from build_book import ROOT, BookError
from d2l_book import colab_address, repository_options, site_address
from plain import plain

from d2l_lite.bookfiles import book_file, book_files

SITE = ROOT / "_build" / "site"
BRANCH = ROOT / "_build" / "notebooks-branch"
FILES, SUMS, ZIP = "files", "SHA256SUMS", "book.zip"
PACKAGE = ("pyproject.toml", "README.md", "LICENSE")  # what makes a wheel, besides d2l_lite
UNSTAMPED = 'WHEEL = ""\n'
DRAWING = re.compile(r"\]\(\.\./(book/figures/[\w-]+\.svg)\)")

LINK = re.compile(r"""https?://([\w.-]+)[^\s"'<>()\\]*""")
HOSTS = re.compile(
    r"(?:^|\.)(?:github\.com|github\.io|githubusercontent\.com|colab\.research\.google\.com|"
    r"gitlab\.com|gitlab\.io|bitbucket\.org|codeberg\.org|mybinder\.org|nbviewer\.org)$"
)


def repository(environment):
    """The name of the repository to publish from, as GitHub Actions gives it: "owner/name"."""
    name = environment.get("GITHUB_REPOSITORY", "")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise BookError(
            f"GITHUB_REPOSITORY is {name or 'not set'!r}; it must name the repository to publish "
            "from, and be like someone/book:\n"
            "    GITHUB_REPOSITORY=someone/book make publish-dry-run"
        )
    return name


def sha256(path):
    """The SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def build_pages():
    """Build the book anew and copy its pages to the site."""
    html = build_book.INDEX.parent
    for old in (html, SITE, BRANCH):
        shutil.rmtree(old, ignore_errors=True)
    build_book.main([])
    shutil.copytree(html, SITE)
    (SITE / ".nojekyll").touch()  # folders whose names begin with _ are part of the site


def copy_files(files):
    """Put the models, the records and the drawings into a folder, under their names in the book."""
    drawings = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("book/figures/*.svg")]
    for name in [*book_files(), *drawings]:
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name if name in drawings else book_file(name), files / name)


def build_wheel(files, address):
    """Build the wheel of d2l_lite that fetches the book's files from `address`; return its path."""
    stamp = {"address": address, "files": {name: sha256(files / name) for name in book_files()}}
    with TemporaryDirectory() as folder:
        for name in PACKAGE:
            shutil.copy(ROOT / name, folder)
        unwanted = shutil.ignore_patterns("__pycache__")
        package = shutil.copytree(ROOT / "d2l_lite", Path(folder, "d2l_lite"), ignore=unwanted)
        (package / "published.json").write_text(json.dumps(stamp, indent=1) + "\n")
        options = ["--no-deps", "--no-build-isolation", "--disable-pip-version-check", "-q"]
        command = [sys.executable, "-m", "pip", "wheel", *options, "-w", str(files), folder]
        # Files of a fixed age, so that the same package has the same hash.
        if subprocess.run(command, env={**os.environ, "SOURCE_DATE_EPOCH": "315532800"}).returncode:
            raise BookError("The wheel did not build; the lines above say why.")
    [wheel] = files.glob("*.whl")
    return wheel


def stamp(text, wheel, files):
    """A notebook's text with the wheel's address in its setup cell, and its drawings' addresses."""
    notebook, stamped = json.loads(text), 0
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            stamped += source.count(UNSTAMPED)
            source = source.replace(UNSTAMPED, f'WHEEL = "{wheel}"\n')
        else:
            source = DRAWING.sub(rf"]({files}\1)", source)
        cell["source"] = source.splitlines(keepends=True)
    if stamped != 1:
        raise BookError(f"a notebook must have one line {UNSTAMPED.strip()}, not {stamped}")
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def stamp_notebooks(wheel, site):
    """Write the notebooks, plain and stamped, for their branch and the downloads of the pages."""
    BRANCH.mkdir(parents=True)
    for path in build_book.notebooks():
        page = f"notebooks/{path.stem}.html"
        built = BeautifulSoup((SITE / page).read_text(encoding="utf-8"), "html.parser")
        text = plain(path.read_text(encoding="utf-8"), built.select_one("article"), site + page)
        text = stamp(text, wheel, f"{site}{FILES}/")
        for folder in (BRANCH, SITE / "_sources" / "notebooks"):
            (folder / path.name).write_text(text, encoding="utf-8")


def write_readme(environment):
    """Say in the notebooks' branch what they are, with a link for each."""
    address, source = site_address(environment), repository_options(environment)
    lines = [
        "# The chapters as notebooks\n",
        f"These are the chapters of [the book]({address}), ready to run on Colab or elsewhere.",
        "The first cell of each installs `d2l_lite` from the book's site. They are made anew when",
        f"the book is; the place to change them is [its source]({source['repository_url']}).\n",
    ]
    for path in build_book.notebooks():
        lines.append(f"- [{path.stem}]({colab_address(environment, path.name)})")
    (BRANCH / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_zip(folder, target):
    """Write a folder, without its `files`, as a zip; the same content gives the same bytes."""
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if path.is_file() and name.parts[0] != FILES:
                entry = ZipInfo(f"book/{name.as_posix()}")  # of 1980, as zips count
                entry.compress_type, entry.external_attr = ZIP_DEFLATED, 0o644 << 16
                archive.writestr(entry, path.read_bytes())


def write_sums(files):
    """Write the SHA-256 of all files in a folder, as `sha256sum --check` reads them."""
    paths = sorted(path for path in files.rglob("*") if path.is_file() and path.name != SUMS)
    lines = [f"{sha256(path)}  {path.relative_to(files).as_posix()}\n" for path in paths]
    (files / SUMS).write_text("".join(lines), encoding="utf-8")


def bad_links(environment):
    """Links to a code host or to Pages that are not this repository's, or lead nowhere."""
    address = site_address(environment)
    cited = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    roots = {
        address: SITE,
        colab_address(environment, ""): BRANCH,
        repository_options(environment)["repository_url"]: None,
    }
    for path in texts(SITE, BRANCH):
        for match in LINK.finditer(path.read_text(encoding="utf-8")):
            link = match.group().rstrip(".,;")
            root = next(
                (r for r in roots if re.match(re.escape(r.rstrip("/")) + r"(/|$)", link)), ""
            )
            if not root and HOSTS.search(match.group(1)) and f"{{{link}}}" not in cited:
                yield f"{path.relative_to(SITE.parent)} links to {link}"
            if folder := roots.get(root):
                target = folder / re.split(r"[?#]", link[len(root) :])[0]
                if not (target.is_file() or (target / "index.html").is_file()):
                    yield f"{path.relative_to(SITE.parent)} links to {link}, which is not there"


def texts(*folders):
    """The files whose links a reader may follow."""
    for folder in folders:
        for kind in ("html", "xml", "ipynb", "md"):
            yield from sorted(folder.rglob(f"*.{kind}"))


def unstamped(wheel):
    """Notebooks that do not install this wheel."""
    for path in texts(SITE, BRANCH):
        setup = json.dumps(f'WHEEL = "{wheel}"\n')
        if path.suffix == ".ipynb" and setup not in path.read_text(encoding="utf-8"):
            yield f"{path.relative_to(SITE.parent)} does not install {wheel}"


def bad_sums(files):
    """Files whose hash is not the one that is written down somewhere."""
    written = [line.split("  ") for line in (files / SUMS).read_text().splitlines()]
    [path] = files.glob("*.whl")
    with ZipFile(path) as archive:
        stamp = json.loads(archive.read("d2l_lite/published.json"))
    written += [(total, name) for name, total in stamp["files"].items()]
    for total, name in written:
        if not (files / name).is_file() or sha256(files / name) != total:
            yield f"{FILES}/{name} does not have the SHA-256 {total}"


def check(environment, wheel):
    """Fail, with the page and the link, if the site is not as it should be."""
    problems = [*bad_links(environment), *unstamped(wheel), *bad_sums(SITE / FILES)]
    if problems:
        raise BookError("The site must not be published:\n  " + "\n  ".join(problems))


def main(environment):
    """Make the whole site, and check it."""
    name = repository(environment)
    files, address = SITE / FILES, site_address(environment)
    build_pages()
    copy_files(files)
    path = build_wheel(files, f"{address}{FILES}/")
    # Without its hash: a copy that a reader keeps shall go on when the book is published anew.
    wheel = f"{address}{FILES}/{path.name}"
    stamp_notebooks(wheel, address)
    write_readme(environment)
    write_zip(SITE, files / ZIP)
    write_sums(files)
    check(environment, wheel)
    print(f"The site of {name} is in {SITE.relative_to(ROOT)}, for {address}")


if __name__ == "__main__":
    try:
        main(os.environ)
    except BookError as error:
        sys.exit(f"\n{error}")
