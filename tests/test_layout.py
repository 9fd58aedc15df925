"""The package's layout: who may import whom, how much code there is, what the files contain."""

import ast
import io
import re
import subprocess
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "d2l_lite"

# The modules in reading order and what each may import; None stands for "any above".
MAY_IMPORT = {
    "vocab": (),
    "attention": (),
    "threads": (),
    "seq2seq": ("attention", "threads"),
    "metrics": (),
    "plot": (),
    "bookfiles": (),
    "minifra": ("vocab",),
    "data": ("vocab", "bookfiles", "minifra"),
    "unrolled": ("attention",),
    "rnn": ("attention", "seq2seq", "unrolled"),
    "conv": ("attention", "seq2seq"),
    "transformer": ("attention", "seq2seq"),
    "models": ("vocab", "seq2seq", "rnn", "conv", "transformer"),
    "decoding": ("vocab", "data", "seq2seq"),
    "runs": ("vocab", "bookfiles", "seq2seq", "models"),
    "evaluation": ("vocab", "seq2seq", "metrics", "data", "decoding"),
    "parallel": (),
    "training": ("threads", "seq2seq", "data", "runs", "evaluation", "parallel"),
    "figures": ("vocab", "attention", "seq2seq", "plot", "data", "decoding", "runs"),
    "exercises": None,
    "source": None,
    "__main__": None,
}
ORDER = list(MAY_IMPORT)
SUBPACKAGES = {"minifra", "figures", "exercises"}
MODEL_CODE = ("attention", "seq2seq", "rnn", "conv", "transformer", "models")
FUNCTION_LINES, MODULE_LINES = 30, 250
# Lines of code of the modules that are one file each, together, and of the built-in corpus. The
# exercises grow with the book: their limit is one for each chapter.
PLAIN_LINES, MINIFRA_LINES, EXERCISES_LINES = 2600, 700, 125


def module_of(path):
    """The table's name for a file: d2l_lite/minifra/lexicon.py belongs to minifra."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def package_files():
    return sorted(PACKAGE.rglob("*.py"))


def imports(path):
    """The d2l_lite modules that a file imports; `from d2l_lite import x` counts as x."""
    package = ["d2l_lite", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{start}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name == "d2l_lite" or name.startswith("d2l_lite."):
                yield [*name.split("."), "__init__"][1]


def code_lines(path):
    """Numbers of the lines that hold code: no docstring, no comment, no blank."""
    text = path.read_text(encoding="utf-8")
    skip = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in skip and token.type != tokenize.ENDMARKER:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            lines.difference_update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return lines


def code_files():
    """The project's own Python outside the tests."""
    folders = (PACKAGE, ROOT / "book", ROOT / "experiments", ROOT / "benchmarks")
    return [path for folder in folders for path in sorted(folder.rglob("*.py"))]


def test_code_lines_are_counted_without_docstrings_comments_and_blanks(tmp_path):
    sample = tmp_path / "sample.py"
    sample.write_text(
        '"""Doc."""\n\n# why\ndef f(x):\n    """Doc\n    on."""\n    return (\n  x)\n'
    )
    assert code_lines(sample) == {4, 7, 8}


def test_every_module_is_in_the_table():
    assert {module_of(path) for path in package_files()} - {"__init__"} <= set(ORDER)
    assert all((PACKAGE / name).is_dir() == (name in SUBPACKAGES) for name in modules_present())


def modules_present():
    return [
        name for name in ORDER if (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").exists()
    ]


@pytest.mark.parametrize("path", package_files(), ids=lambda path: path.name)
def test_imports_point_upwards_as_the_table_says(path):
    name = module_of(path)
    if name == "__init__":
        return
    allowed = MAY_IMPORT[name]
    above = ORDER[: ORDER.index(name)] if allowed is None else allowed
    assert set(imports(path)) <= {*above, name, "__version__"}


def test_init_only_reexports_in_reading_order():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    sources, names = [], []
    for node in tree.body[1:]:
        if isinstance(node, ast.ImportFrom):
            sources.append(node.module.removeprefix("d2l_lite").removeprefix(".").split(".")[0])
            names += [alias.asname or alias.name for alias in node.names]
        else:  # __all__ or __version__
            assert isinstance(node, ast.Assign) and node.targets[0].id.startswith("__")
    sources = [name for name in sources if name]
    assert sources == sorted(sources, key=ORDER.index)
    assert not {name for name in names if name in ORDER and name not in SUBPACKAGES}


def functions(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_function_is_long():
    long = []
    for path in code_files():
        lines = code_lines(path)
        for function in functions(path):
            count = len(lines & set(range(function.lineno, function.end_lineno + 1)))
            if count > FUNCTION_LINES:
                long.append(f"{path.relative_to(ROOT)}:{function.lineno} {function.name}: {count}")
    assert not long


def test_no_module_is_long():
    counts = {str(path.relative_to(ROOT)): len(code_lines(path)) for path in code_files()}
    assert not {path: count for path, count in counts.items() if count > MODULE_LINES}


def test_the_package_stays_small():
    counts = {path: len(code_lines(path)) for path in package_files()}
    parts = {name: [n for path, n in counts.items() if module_of(path) == name] for name in ORDER}
    assert sum(counts.values()) - sum(sum(parts[name]) for name in SUBPACKAGES) <= PLAIN_LINES
    assert sum(parts["minifra"]) <= MINIFRA_LINES
    assert max(parts["exercises"]) <= EXERCISES_LINES


@pytest.mark.parametrize("name", MODEL_CODE)
def test_models_never_print_plot_or_read_files(name):
    path = PACKAGE / f"{name}.py"
    if not path.exists():
        pytest.skip(f"{name} is not written yet")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    called = {
        n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and hasattr(n.func, "id")
    }
    assert not called & {"print", "open", "input"}


def tracked_files():
    """All files that a commit of the tree would hold."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listing.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_no_file_is_large():
    limit = {"book/models": 8_000_000}
    large = {}
    for path in tracked_files():
        name = path.relative_to(ROOT).as_posix()
        allowed = next((size for folder, size in limit.items() if name.startswith(folder)), 500_000)
        if path.stat().st_size > allowed:
            large[name] = path.stat().st_size
    assert not large


# Hosts of package registries, and folders that exist on one machine only. Written with a gap in
# each, so that this file does not find itself.
FORBIDDEN = [
    "python" + "hosted",
    "registry." + "npm",
    "npm" + "js.",
    "pypi" + ".org",
    "debian" + ".org/debian",
    "/work" + "/",
    "/root" + "/",
    "/home" + "/",
    "/Users" + "/",
]


def test_no_registry_hosts_and_no_absolute_paths():
    pattern = re.compile(
        r"(?<![\w.:/-])(?:https?://[\w.]*)?(" + "|".join(map(re.escape, FORBIDDEN)) + ")"
    )
    found = []
    for path in tracked_files():
        if path.suffix in {".py", ".md", ".ipynb", ".json", ".toml", ".txt", ".yml", ".yaml", ""}:
            text = path.read_text(encoding="utf-8", errors="replace")
            found += [f"{path.relative_to(ROOT)}: {m.group()}" for m in pattern.finditer(text)]
    assert not found
