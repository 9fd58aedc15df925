"""Make built pages lighter, and change nothing that one sees.

The theme brings all of Font Awesome, some 2,000 icons: 300 kB of fonts, and 20 kB of the styles
that a page waits for before it paints. A dozen of them are used; these stay. So do the letters and
signs of KaTeX's fonts that occur in the book. And the pictures that notebooks draw are stored as
WebP, without loss, in a third of what they take as PNG.
"""

import logging
import re
from html import unescape
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from PIL import Image

NAME = re.compile(r"\bfa-[a-z0-9-]+")
# The rules that give icons their characters: .fa-bars:before,.fa-navicon:before{content:"\f0c9"}
RULE = re.compile(r'(?:\.fa-[\w-]+:before,?)+\{content:"[^"]+"\}')
CHARACTER = re.compile(r'"\\([0-9a-f]{2,5}|.)"')
# A font in several formats: url(a.woff2) format("woff2"),url(a.ttf) format("truetype")
FONT = re.compile(r'url\(([^)]+)\.woff2\)(?: format\("\w+"\),url\(\1\.\w+\))+ format\("truetype"\)')
TAG = re.compile(r"<[^>]*>")

# What a notebook draws is named by its hash: a picture of an earlier build is the same.
PICTURE = re.compile(r"(_images/[0-9a-f]{64})\.png\b")


def keep_used_icons(site: Path) -> None:
    """Rewrite the theme's styles and icon fonts in a built site, its pages as they are."""
    readers = [*site.rglob("*.html"), *site.glob("_static/scripts/*.js")]
    names = {name for path in readers for name in NAME.findall(path.read_text(encoding="utf-8"))}
    theme = site / "_static" / "styles" / "pydata-sphinx-theme.css"
    styles = theme.read_text(encoding="utf-8")
    styles = RULE.sub(lambda rule: rule[0] if names & set(NAME.findall(rule[0])) else "", styles)
    theme.write_text(styles, encoding="utf-8")
    sheets = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    codes = CHARACTER.findall(sheets)
    characters = {int(code, 16) if len(code) > 1 else ord(code) for code in codes}
    reduce_fonts(theme, site / "_static" / "vendor" / "fontawesome" / "webfonts", characters)


def keep_used_letters(site: Path) -> None:
    """Rewrite KaTeX's styles and fonts in a built site."""
    pages = (path.read_text(encoding="utf-8") for path in site.rglob("*.html"))
    characters = {ord(character) for page in pages for character in unescape(TAG.sub("", page))}
    katex = site / "_static" / "katex"
    reduce_fonts(katex / "katex.min.css", katex / "fonts", characters)


def reduce_fonts(styles: Path, fonts: Path, characters: set[int]) -> None:
    """Write the fonts of a folder as .woff, with these characters alone, and name them so."""
    text = styles.read_text(encoding="utf-8")
    styles.write_text(FONT.sub(r'url(\1.woff) format("woff")', text), encoding="utf-8")
    for font in fonts.glob("*.ttf"):
        reduce(font, characters)


def reduce(font: Path, characters: set[int]) -> None:
    """Write the font anew as .woff, with these characters alone, in place of .ttf and .woff2."""
    logging.getLogger("fontTools").setLevel(logging.ERROR)  # KaTeX's fonts are "from 1970"
    options = subset.Options(flavor="woff", layout_features=[], notdef_outline=True)
    kept = TTFont(font, recalcTimestamp=False)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=characters)
    subsetter.subset(kept)
    subset.save_font(kept, font.with_suffix(".woff"), options)
    font.with_suffix(".woff2").unlink(missing_ok=True)
    font.unlink()


def compress_pictures(site: Path) -> None:
    """Store the pictures of notebooks as WebP, and name them so in the pages."""
    for path in site.glob("_images/*.png"):
        if not PICTURE.fullmatch(f"_images/{path.name}"):
            continue
        smaller = path.with_suffix(".webp")
        if not smaller.exists():
            with Image.open(path) as picture:
                picture.save(smaller, lossless=True, method=6)
        path.unlink()
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        renamed = PICTURE.sub(r"\1.webp", text)
        if renamed != text:
            page.write_text(renamed, encoding="utf-8")
