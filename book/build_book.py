"""Run the notebooks that need it, then build the book's pages.

    python book/build_book.py           # what `make book` calls
    python book/build_book.py --copy    # fresh copies of all notebooks, to be run by `make test`

A notebook is run once, by nbmake, on a copy. Its outputs then go into the cache that Jupyter Book
reads, so the pages show the very run that was tested and the notebooks stay free of outputs. A
notebook runs again when its code, `d2l_lite`, the recorded experiments and benchmarks, the shipped
models, the pinned requirements or the Python version change, or when fra-eng comes or goes.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn

from d2l_lite import find_fra_eng
from d2l_lite.bookfiles import book_files

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
COPIES = ROOT / ".executed"  # a sibling of notebooks/, so that a relative path means the same
CACHE = ROOT / "_build" / ".jupyter_cache"
INDEX = ROOT / "_build" / "html" / "index.html"
WIDGET = "application/vnd.jupyter.widget-view+json"


class BookError(Exception):
    """The book cannot be built; the message says what to do."""


def notebooks():
    """The chapters, in order."""
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def digest(notebook):
    """SHA-256 over all that decides a notebook's outputs."""
    package = sorted(path for path in ROOT.glob("d2l_lite/**/[!.]*") if path.is_file())
    records = [ROOT / name for name in book_files()]
    corpus = find_fra_eng() is not None  # some chapters use it where it is at hand
    cells = nbformat.read(notebook, 4).cells
    code = [(cell.source, cell.metadata) for cell in cells if cell.cell_type == "code"]
    total = hashlib.sha256(repr((notebook.name, code, sys.version, corpus)).encode())
    for file in (ROOT / "requirements.txt", *package, *records):
        if "__pycache__" not in file.parts:
            total.update(file.relative_to(ROOT).as_posix().encode())
            total.update(file.read_bytes())
    return total.hexdigest()


def needs_run(notebook):
    """Whether the cache lacks a run of this notebook as everything stands now."""
    try:
        record = get_cache(CACHE).match_cache_notebook(nbformat.read(notebook, 4))
    except KeyError:
        return True
    return record.data.get("digest") != digest(notebook)


def make_copies(originals):
    """Copy notebooks to where they are run, with the digest of their inputs; return the copies."""
    COPIES.mkdir(exist_ok=True)
    for old in COPIES.glob("*.ipynb"):
        old.unlink()
    copies = []
    for original in originals:
        notebook = nbformat.read(original, 4)
        notebook.metadata["digest"] = digest(original)
        copies.append(COPIES / original.name)
        nbformat.write(notebook, copies[-1])
    return copies


def run(copies):
    """Run copies in place with nbmake, which shows the cell that failed and why."""
    options = ["-q", "--no-header", "--nbmake", "--overwrite", "--nbmake-timeout=1200"]
    command = [sys.executable, "-m", "pytest", *options, *map(str, copies)]
    if subprocess.run(command, cwd=ROOT, env=environment()).returncode:
        raise BookError("A notebook failed; the lines above show its cell. Mend it and try again.")


def environment():
    """The environment that notebooks run in.

    No progress bars, which a page cannot show; and a thread that waits leaves its core to others:
    spinning, a training on a busy machine is ten times slower.
    """
    return {**os.environ, "TQDM_DISABLE": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def store(copies):
    """Put the outputs of executed copies into the cache, under the notebooks as they are."""
    cache = get_cache(CACHE)
    for copy in copies:
        notebook, executed = nbformat.read(NOTEBOOKS / copy.name, 4), nbformat.read(copy, 4)
        if [cell.source for cell in notebook.cells] != [cell.source for cell in executed.cells]:
            raise BookError(f"{copy.name} was changed while it ran. Try again.")
        if failed := failures(executed):
            raise BookError(f"{copy.name} did not run through; see its cells {', '.join(failed)}.")
        transfer_outputs(executed, notebook)
        data = {"digest": executed.metadata["digest"]}
        uri = str(NOTEBOOKS / copy.name)
        bundle = CacheBundleIn(notebook, uri, data=data)
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


def transfer_outputs(executed, notebook):
    """Copy the outputs of one notebook's cells to the same cells of another.

    An output that is a widget and nothing else is left out: without a kernel it is dead.
    """
    for source, target in zip(executed.cells, notebook.cells, strict=True):
        if source.cell_type == "code":
            target.outputs = [out for out in source.outputs if {*out.get("data", ())} != {WIDGET}]
            target.execution_count = source.execution_count


def failures(notebook):
    """Ids of the code cells that were not run, or that failed and were not meant to."""
    failed = []
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source.strip():
            may_fail = "raises-exception" in cell.metadata.get("tags", [])
            error = any(output.output_type == "error" for output in cell.outputs)
            if cell.execution_count is None or (error and not may_fail):
                failed.append(cell.id)
    return failed


def build_pages():
    """Build all pages with Jupyter Book; a warning is an error."""
    strict = ["-W", "-n", "--keep-going", "--all", "-q"]
    start = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    command = [*start, "build", str(ROOT), *strict]
    if subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL).returncode:
        raise BookError("The pages did not build; the warnings above say where. Mend them.")


def main(arguments):
    """Build the book, or with `--copy` print fresh copies of all notebooks."""
    if arguments == ["--copy"]:
        print(*make_copies(notebooks()), sep="\n")
        return
    outdated = [path for path in notebooks() if needs_run(path)]
    if outdated:
        number = f"{len(outdated)} of {len(notebooks())}"
        print(f"Running {number} notebooks, a dot for each; all take some minutes ...", flush=True)
        copies = make_copies(outdated)
        run(copies)
        store(copies)
    print("Building the pages ...", flush=True)
    build_pages()
    print(f"The book is ready. Open {INDEX.relative_to(ROOT)} in a browser.")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BookError as error:
        sys.exit(f"\n{error}")
