"""The build's own logic: when a notebook runs again, and what counts as a failure."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import build_book
import d2l_book
import lighter
import nbformat
import pydata_sphinx_theme
import pytest
from docutils import nodes
from fontTools.ttLib import TTFont
from nbformat import v4
from PIL import Image

from d2l_lite import bookfiles

THEME = "theme/pydata_sphinx_theme"


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A small project with one notebook; returns its root."""
    for folder in ("notebooks", "d2l_lite", "experiments"):
        (tmp_path / folder).mkdir()
    (tmp_path / "requirements.txt").write_text("torch\n")
    (tmp_path / "d2l_lite" / "data.py").write_text("x = 1\n")
    cells = [v4.new_markdown_cell("# Title"), v4.new_code_cell("1 + 1", id="sum")]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "notebooks" / "01_a.ipynb")
    monkeypatch.setattr(build_book, "ROOT", tmp_path)
    monkeypatch.setattr(bookfiles, "CHECKOUT", tmp_path)
    monkeypatch.setattr(build_book, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(build_book, "COPIES", tmp_path / ".executed")
    monkeypatch.setattr(build_book, "CACHE", tmp_path / "cache")
    return tmp_path


def pretend_run(copy):
    """Write the outputs that a kernel would, and the timing that nbmake adds."""
    notebook = nbformat.read(copy, 4)
    notebook.cells[1].execution_count = 1
    notebook.cells[1].outputs = [v4.new_output("execute_result", {"text/plain": "2"})]
    notebook.cells[1].metadata["execution"] = {"shell.execute_reply": "now"}
    nbformat.write(notebook, copy)


def test_a_notebook_runs_again_only_when_something_it_depends_on_changes(tree):
    [notebook] = build_book.notebooks()
    assert build_book.needs_run(notebook)
    [copy] = build_book.make_copies([notebook])
    pretend_run(copy)
    build_book.store([copy])
    assert not build_book.needs_run(notebook)
    notebook.write_text(notebook.read_text().replace("# Title", "# Another title"))
    assert not build_book.needs_run(notebook)
    (tree / "experiments" / "runs.old.jsonl").write_text("{}\n")  # a record that was put aside
    assert not build_book.needs_run(notebook)
    (tree / "experiments" / "runs.jsonl").write_text("{}\n")
    assert build_book.needs_run(notebook)
    (tree / "experiments" / "runs.jsonl").unlink()
    (tree / "d2l_lite" / "data.py").write_text("x = 2\n")
    assert build_book.needs_run(notebook)


def test_a_widget_that_stands_alone_is_not_stored(tree):
    """A figure's picture is stored, and so is a bar whose text says what it showed."""
    cells = [v4.new_code_cell("figure"), v4.new_code_cell("figure")]
    run, notebook = v4.new_notebook(cells=cells[:1]), v4.new_notebook(cells=cells[1:])
    view = {build_book.WIDGET: {"model_id": "a"}}
    shown = [{"text/html": "<svg>"}, view, view | {"text/plain": "100%"}]
    run.cells[0].outputs = [v4.new_output("display_data", data) for data in shown]
    build_book.transfer_outputs(run, notebook)
    assert [set(out.data) for out in notebook.cells[0].outputs] == [set(shown[0]), set(shown[2])]


def test_the_notebook_itself_stays_without_outputs(tree):
    [notebook] = build_book.notebooks()
    before = notebook.read_bytes()
    [copy] = build_book.make_copies([notebook])
    pretend_run(copy)
    build_book.store([copy])
    assert notebook.read_bytes() == before


def test_the_cache_gives_the_outputs_to_the_notebook_as_it_is(tree):
    [notebook] = build_book.notebooks()
    [copy] = build_book.make_copies([notebook])
    pretend_run(copy)
    build_book.store([copy])
    cache = build_book.get_cache(build_book.CACHE)
    _, merged = cache.merge_match_into_notebook(nbformat.read(notebook, 4))
    assert merged.cells[1].outputs[0].data["text/plain"] == "2"


def test_a_cell_that_did_not_run_is_an_error(tree):
    [copy] = build_book.make_copies(build_book.notebooks())
    with pytest.raises(build_book.BookError, match=r"01_a\.ipynb .* cells sum"):
        build_book.store([copy])


def test_an_error_counts_unless_the_cell_is_meant_to_raise():
    cell = v4.new_code_cell("1 / 0", id="bad", execution_count=1)
    cell.outputs = [v4.new_output("error", ename="E", evalue="", traceback=[])]
    assert build_book.failures(v4.new_notebook(cells=[cell])) == ["bad"]
    cell.metadata["tags"] = ["raises-exception"]
    assert build_book.failures(v4.new_notebook(cells=[cell])) == []


def test_a_notebook_that_changes_while_it_runs_is_not_stored(tree):
    [notebook] = build_book.notebooks()
    [copy] = build_book.make_copies([notebook])
    pretend_run(copy)
    notebook.write_text(notebook.read_text().replace("1 + 1", "1 + 2"))
    with pytest.raises(build_book.BookError, match="changed while it ran"):
        build_book.store([copy])


def test_repository_buttons_only_where_the_environment_names_a_repository():
    assert d2l_book.repository_options({}) == {}
    options = d2l_book.repository_options({"GITHUB_REPOSITORY": "someone/book"})
    assert options["repository_url"] == "https://github.com/someone/book"
    assert options["path_to_docs"] == ""
    assert options["repository_branch"] == "main"
    options = d2l_book.repository_options({"GITHUB_REPOSITORY": "a/b", "GITHUB_REF_NAME": "trunk"})
    assert options["repository_branch"] == "trunk"


@pytest.mark.parametrize("name", ["someone/book", None])
@pytest.mark.parametrize("source", ["notebooks/01_a.ipynb", "index.md"])
def test_a_chapter_has_one_link_to_colab_where_a_repository_is_known(monkeypatch, source, name):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    if name:
        monkeypatch.setenv("GITHUB_REPOSITORY", name)
    app = SimpleNamespace(env=SimpleNamespace(doc2path=lambda page: f"/folder/{source}"))
    body = "<h1>One</h1><p>Text</p><h1>Two</h1>"
    context = {"body": body}
    d2l_book.add_colab(app, "page", "page.html", context, nodes.document(None, None))
    if name and source.endswith(".ipynb"):
        address = "https://colab.research.google.com/github/someone/book/blob/notebooks/01_a.ipynb"
        link = f'\n<p class="colab"><a href="{address}">Open in Colab</a></p>'
        body = body.replace("<h1>One</h1>", f"<h1>One</h1>{link}")
    assert context["body"] == body


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("Someone/Book", "https://someone.github.io/Book/"),
        ("someone/someone.github.io", "https://someone.github.io/"),
        (None, ""),
    ],
)
def test_pages_know_their_address_where_the_environment_names_a_repository(name, address):
    assert d2l_book.site_address({"GITHUB_REPOSITORY": name} if name else {}) == address


def sphinx_of(address, folder):
    """As much of Sphinx as the functions below look at."""
    config = SimpleNamespace(html_baseurl=address, project="The book")
    return SimpleNamespace(config=config, outdir=folder, env=SimpleNamespace(found_docs={"b", "a"}))


@pytest.mark.parametrize("address", ["", "https://a.example/"])
def test_a_link_to_a_page_shows_what_the_page_is_about(tmp_path, address):
    page = nodes.section(
        "", nodes.title("", "T"), nodes.paragraph("", 'Is it "alive"? ' + 99 * "x ")
    )
    context = {"title": "T", "metatags": "<meta>"}
    d2l_book.add_preview(sphinx_of(address, tmp_path), "a", "page.html", context, page)
    tags = context["metatags"]
    assert tags.startswith("<meta>\n") and 'content="Is it &quot;alive&quot;? x x' in tags
    assert (f'property="og:image" content="{address}_static/preview.png"' in tags) == bool(address)
    assert (build_book.ROOT / "book" / "_static" / "preview.png").is_file()


@pytest.mark.parametrize("address", ["", "https://a.example/"])
def test_the_sitemap_lists_all_pages_of_a_site_with_an_address(tmp_path, address):
    path = tmp_path / "sitemap.xml"
    path.write_text("of an older build")
    d2l_book.write_sitemap(sphinx_of(address, tmp_path), None)
    assert path.is_file() == bool(address)
    if address:
        found = [node.text for node in ElementTree.parse(path).iterfind("{*}url/{*}loc")]
        assert found == [f"{address}a.html", f"{address}b.html"]


def test_tidy_drops_the_icon_script_and_keeps_the_rest():
    script = '<script src="../_static/scripts/fontawesome.js?digest=1"></script>'
    page = f"<head>{script}<script>run()</script></head>"
    assert d2l_book.tidy(page) == "<head><script>run()</script></head>"


def test_tidy_lets_scripts_wait_but_those_that_others_need_at_once():
    waits = '<script src="../_static/scripts/theme.js?v=1"></script><script src="searchindex.js">'
    assert d2l_book.tidy(waits) == waits.replace("<script ", "<script defer ")
    now = '<script src="_static/documentation_options.js"></script><script>run()</script>'
    now += '<script src="../_static/translator/page.js"></script><script defer src="_static/a.js">'
    assert d2l_book.tidy(now) == now


def test_only_icons_that_pages_show_are_kept(tmp_path):
    """The theme's own styles and fonts, with a page that shows two icons."""
    copy = tmp_path / "_static"
    shutil.copytree(Path(pydata_sphinx_theme.__file__).parent / THEME / "static", copy)
    page = '<i class="fas fa-download fa-plus"></i><i class="fa-solid fa-sun fa-lg"></i>'
    (tmp_path / "index.html").write_text(page, encoding="utf-8")
    (copy / "ours.css").write_text('a { content: "\\f303" }', encoding="utf-8")
    lighter.keep_used_icons(tmp_path)
    styles = (copy / "styles" / "pydata-sphinx-theme.css").read_text(encoding="utf-8")
    assert ".fa-download:before" in styles and ".fa-sun:before" in styles
    assert ".fa-truck:before" not in styles and ".woff2" not in styles
    fonts = copy / "vendor" / "fontawesome" / "webfonts"
    assert {path.suffix for path in fonts.iterdir()} == {".woff"}
    characters = TTFont(fonts / "fa-solid-900.woff").getBestCmap()
    assert {0xF019, 0xF185, 0xF303, ord("+")} <= set(characters) and 0xF0D1 not in characters


def test_pictures_are_the_same_as_webp(tmp_path):
    drawn = Image.effect_noise((40, 30), 50).convert("RGBA")
    (tmp_path / "_images").mkdir()
    name = "a1" * 32  # a hash, as of all that notebooks draw
    drawn.save(tmp_path / "_images" / f"{name}.png")
    drawn.save(tmp_path / "_images" / "photo.png")
    page = tmp_path / "page.html"
    text = f'<img src="../_images/{name}.png"><img src="../_images/photo.png"> a1.png'
    page.write_text(text, encoding="utf-8")
    lighter.compress_pictures(tmp_path)
    assert page.read_text(encoding="utf-8") == text.replace(f"{name}.png", f"{name}.webp")
    assert (tmp_path / "_images" / "photo.png").exists()
    with Image.open(tmp_path / "_images" / f"{name}.webp") as stored:
        assert stored.convert("RGBA").tobytes() == drawn.tobytes()


def test_tidy_mends_what_hinders_a_screen_reader():
    button = '<button class="btn search-button-field x" title="S" aria-label="Search">'
    assert d2l_book.tidy(button) == '<button class="btn search-button-field x" title="S">'
    assert d2l_book.tidy('<th class="head"><p></p></th>') == '<td class="head"></td>'
    assert d2l_book.tidy('<div class="math" id="e">') == '<div tabindex="0" class="math" id="e">'
    assert 'role="region"' in d2l_book.tidy('<div id="pst-primary-sidebar" class="bd">')
