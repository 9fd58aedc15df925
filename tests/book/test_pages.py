"""The built pages: complete, whole without any other server, and readable without pictures."""

import gzip
import os
import re
import sys
from functools import cache
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import build_book
import d2l_book
import lighter
import live_figures
import nbformat
import pytest
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont
from jupyter_cache import get_cache
from plain import plain

ROOT = build_book.ROOT
LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}
LOADS |= {"video": "src", "audio": "src", "embed": "src", "object": "data"}
LINKS_THAT_LOAD = {"stylesheet", "icon", "preload", "modulepreload", "manifest", "preconnect"}
IN_CSS = re.compile(r"""@import\s+(?:url\()?["']?([^"');\s]+)|url\(\s*["']?([^"')]+)""")


def pages(site):
    found = sorted(site.rglob("*.html"))
    return [path for path in found if "_static" not in path.relative_to(site).parts]


def chapters(site):
    found = sorted(site.glob("notebooks/*.html"))
    assert found
    return found


@cache
def parsed(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def is_outside(address):
    return address.startswith("//") or urlsplit(address).scheme in {"http", "https"}


def test_every_chapter_has_a_page_and_the_site_begins_at_home(site):
    names = [path.stem for path in build_book.notebooks()]
    assert [path.stem for path in chapters(site)] == names
    home = parsed(site / "index.html")
    assert home.h1 and not home.find("meta", attrs={"http-equiv": True})
    assert home.select_one(".d2l-viz svg")


def test_colab_and_the_zip_are_offered_where_a_repository_is_known_and_only_there(site):
    known = os.environ.get("GITHUB_REPOSITORY")
    for page in chapters(site):
        links = [tag["href"] for tag in parsed(page).select("p.colab a")]
        wanted = d2l_book.colab_address(os.environ, f"{page.stem}.ipynb")
        assert links == ([wanted] if known else [])
    home = str(parsed(site / "index.html"))
    assert ("files/book.zip" in home) == ("Open in Colab" in home) == bool(known)
    assert "ADDRESS" not in home
    hosts = re.compile(r"^https://(github|colab)\b")
    found = {tag["href"] for page in pages(site) for tag in parsed(page).find_all(href=hosts)}
    cited = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    assert known or all(f"{{{link}}}" in cited for link in found)


def test_no_notebook_ran_a_second_time(site):
    """Jupyter Book stages a notebook in its cache before it runs one itself."""
    assert get_cache(build_book.CACHE).list_project_records() == []


def test_internal_links_and_anchors_resolve(site):
    broken = []
    for page in pages(site):
        for tag in parsed(page).find_all(href=True):
            address = urlsplit(tag["href"])
            if address.scheme or tag["href"].startswith("//"):
                continue
            target = (page.parent / unquote(address.path)).resolve() if address.path else page
            if not target.is_file():
                broken.append(f"{page.name}: {tag['href']}")
            elif address.fragment and target.suffix == ".html":
                anchor = unquote(address.fragment)
                if not parsed(target).find(attrs={"id": anchor}):
                    broken.append(f"{page.name}: {tag['href']} (no such anchor)")
    assert not broken


def test_what_a_page_loads_is_there_and_ours(site):
    bad = []
    for page in pages(site):
        for name, attribute in LOADS.items():
            for tag in parsed(page).find_all(name, attrs={attribute: True}):
                address = tag[attribute]
                if name == "link" and not LINKS_THAT_LOAD & set(tag["rel"]):
                    continue
                if address.startswith("data:"):
                    continue
                path = (page.parent / unquote(urlsplit(address).path)).resolve()
                if is_outside(address) or not path.is_file():
                    bad.append(f"{page.name}: {address}")
    assert not bad


def test_styles_load_nothing_from_elsewhere(site):
    bad = []
    sheets = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.css")}
    for page in pages(site):
        inline = [tag["style"] for tag in parsed(page).find_all(style=True)]
        sheets[page] = "\n".join([*inline, *(tag.text for tag in parsed(page).find_all("style"))])
    for path, text in sheets.items():
        for match in IN_CSS.finditer(text):
            address = match.group(1) or match.group(2)
            if is_outside(address):
                bad.append(f"{path.relative_to(site)}: {address}")
    assert not bad


def test_scripts_in_pages_name_no_other_server(site):
    for page in pages(site):
        for tag in parsed(page).find_all("script"):
            assert not re.search(r"https?://(?!www\.w3\.org/)", tag.text), page.name


def test_large_scripts_are_gone(site):
    assert not list(site.rglob("fontawesome*.js"))
    sizes = {path.name: path.stat().st_size for path in site.rglob("*.js")}
    for model in live_figures.MODELS:  # its weights are data, loaded by the translator's page alone
        assert sizes.pop(f"{model}.js") < 5_000_000
    assert max(sizes.values()) < 300_000


@cache
def on_the_line(path):
    """What a file takes as it goes over the line, in bytes."""
    return len(gzip.compress(path.read_bytes()))


def test_no_page_is_heavy(site):
    """What a page names, as it goes over the line, without what belongs to a figure alone."""
    for page in pages(site):
        text = page.read_text(encoding="utf-8")
        soup = BeautifulSoup(text, "html.parser")
        for figure in soup.select(".d2l-viz"):
            figure.decompose()
        names = {
            tag[LOADS[tag.name]]
            for tag in soup.find_all(list(LOADS))
            if LOADS[tag.name] in tag.attrs
        }
        files = {(page.parent / unquote(urlsplit(name).path)).resolve() for name in names}
        sizes = [len(gzip.compress(str(soup).encode()))]
        sizes += [on_the_line(path) for path in files if path.is_file() and path.suffix != ".html"]
        assert sum(sizes) < 350_000, page.name


def test_without_its_process_typesetting_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(d2l_book.katex, "NODEJS_BINARY", sys.executable)  # which reads no JS
    with pytest.raises(d2l_book.katex.KaTeXError, match=r"typesets, .*katex-server\.js"):
        d2l_book.start_katex(tmp_path, timeout=30)


def test_only_letters_that_pages_show_are_kept(tmp_path):
    """KaTeX's own styles and fonts, with a page of two letters and a sign."""
    out = tmp_path / "site"
    d2l_book.copy_katex(SimpleNamespace(builder=SimpleNamespace(format="html"), outdir=out))
    page = '<span class="q">x</span> &#945; <b title="z">\u2211</b>'
    (out / "index.html").write_text(page, encoding="utf-8")
    lighter.keep_used_letters(out)
    katex = out / "_static" / "katex"
    asked = set(re.findall(r"url\(([^)]+)\)", (katex / "katex.min.css").read_text()))
    assert asked == {f"fonts/{path.name}" for path in katex.glob("fonts/*")}
    assert {path.suffix for path in katex.glob("fonts/*")} == {".woff"}
    kept = TTFont(katex / "fonts" / "KaTeX_Math-Italic.woff").getBestCmap()
    assert {ord("x"), ord("α")} <= set(kept) and not {ord("q"), ord("z")} & set(kept)
    assert ord("∑") in TTFont(katex / "fonts" / "KaTeX_Size1-Regular.woff").getBestCmap()


def test_every_chapter_has_a_plain_form(site):
    """Without MyST, as `plain` makes sure; its code is the same."""
    for path in build_book.notebooks():
        article = parsed(site / "notebooks" / f"{path.stem}.html").select_one("article")
        address = f"https://a.example/{path.stem}.html"
        text = plain(path.read_text(encoding="utf-8"), article, address)
        assert code(nbformat.reads(text, 4)) == code(nbformat.read(path, 4))


def code(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_pictures_have_words_beside_them(site):
    for page in pages(site):
        for image in parsed(page).find_all("img"):
            alt = image.get("alt")
            assert alt is not None, f"{page.name}: {image}"
            assert not re.search(r"\.(png|svg|jpe?g)$|_images/|_build/", alt), f"{page.name}: {alt}"
        for drawing in parsed(page).find_all("svg", attrs={"role": "img"}):
            assert drawing.find("title") or drawing.get("aria-label"), page.name


def test_drawings_stand_in_the_pages_and_all_are_used(site):
    """As inline SVG, so that they follow the page's colours; none is left as a file to load."""
    names = {path.stem for path in (ROOT / "book" / "figures").glob("*.svg")}
    used = set()
    for page in pages(site):
        for drawing in parsed(page).select("svg[data-drawing]"):
            used.add(drawing["data-drawing"])
            assert len(drawing["aria-label"].split()) >= 6, f"{page.name}: {drawing['aria-label']}"
            assert drawing.find_parent("figure").find("figcaption"), page.name
    assert names and used == names
    assert not names & {path.stem for path in site.glob("_images/*")}


def test_figures_that_cells_draw_have_caption_and_alt(site):
    for page in chapters(site):
        for image in parsed(page).select(".cell_output img"):
            assert len(image["alt"].split()) >= 4, f"{page.name}: alt={image['alt']!r}"
            figure = image.find_parent("figure")
            assert figure and figure.find("figcaption"), f"{page.name}: {image['alt']}"


def test_math_is_typeset_at_build(site):
    formulas = 0
    for page in pages(site):
        for node in parsed(page).select("span.math, div.math"):
            assert node.select_one(".katex"), f"{page.name}: {node.text}"
            formulas += 1
        assert not parsed(page).select(".katex-error"), page.name
    assert formulas


def test_pages_name_no_folder_of_this_machine(site):
    for page in pages(site):
        assert str(ROOT) not in page.read_text(encoding="utf-8"), page.name


@pytest.mark.parametrize("landmark", ["main", "nav", "header, [role=banner]"])
def test_pages_have_landmarks_and_a_language(site, landmark):
    for page in chapters(site):
        assert parsed(page).html["lang"] == "en"
        assert parsed(page).select_one(landmark)
