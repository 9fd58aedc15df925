"""MyST in plain Markdown, for the notebooks that Colab, GitHub and VS Code show as they are.

Those know no roles (`{term}`) and no directives (`:::{note}`). What a role becomes on the built
page, its text, its number and its target, it becomes here: the references of a page stand in the
order of the roles. A directive becomes its title.
"""

import json
import re
from collections import Counter
from urllib.parse import urljoin

from build_book import BookError

ROLE = re.compile(r"\{(term|ref|numref|eq|cite)(?::t)?\}`[^`]+`")
ROLES = {
    "term": "a:has(> .std-term)",
    "ref": "a:has(> .std-ref)",
    "numref": "a:has(> .std-numref)",
    "eq": "a.reference[href*='#equation-']",
    "cite": ".bibtex-citation",
}
LABEL = re.compile(r"^\([\w-]+\)=\n", re.M)
EQUATION = re.compile(r"\n\$\$ \(([\w-]+)\)")
DIRECTIVE = re.compile(r"^:{3,}\{([\w-]+)\} *(.*)\n((?::[\w-]+:.*\n)*)", re.M)
END = re.compile(r"^:{3,} *\n?", re.M)
MYST = re.compile(r"\{[\w:-]+\}`|^\([\w-]+\)=$|\$\$ \([\w-]+\)|:::.*", re.M)


def plain(text, article, address):
    """A notebook's text with no MyST in it.

    Args:
        article: what a page that was built from the notebook has in <article>, parsed.
        address: where the page will be; links lead there and to its neighbours.

    Raises:
        BookError: the page has other references than the notebook, or some MyST is left.
    """
    notebook = json.loads(text)
    of_markdown = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    sources = ["".join(cell["source"]) for cell in of_markdown]
    wanted = Counter(match[1] for source in sources for match in ROLE.finditer(source))
    there = {role: article.select(selector) for role, selector in ROLES.items()}
    if wanted != (found := Counter({role: len(nodes) for role, nodes in there.items() if nodes})):
        raise BookError(f"the notebook has {dict(wanted)}, and its page {address} {dict(found)}")
    left = {role: iter(nodes) for role, nodes in there.items()}
    for cell, source in zip(of_markdown, sources, strict=True):
        source = ROLE.sub(lambda match: _markdown(next(left[match[1]]), address), source)
        source = DIRECTIVE.sub(lambda match: _title(article, *match.groups()), source)
        source = EQUATION.sub(lambda match: _tag(article, match[1]), source)
        source = END.sub("", LABEL.sub("", source))
        source = re.sub(r"\n{3,}", "\n\n", source).strip()
        if match := MYST.search(source):
            raise BookError(f"the plain form of {address} has {match[0]!r} in it")
        cell["source"] = source.splitlines(keepends=True)
    empty = [cell for cell in of_markdown if not cell["source"]]
    notebook["cells"] = [cell for cell in notebook["cells"] if cell not in empty]
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _markdown(node, address):
    """A link of a page, or a text with links in it, as Markdown."""
    if isinstance(node, str):
        return re.sub(r"([\[\]*_])", r"\\\1", node)
    inside = "".join(_markdown(child, address) for child in node.children)
    if node.name == "em":
        return f"*{inside}*"
    return f"[{inside}]({urljoin(address, node['href'])})" if node.name == "a" else inside


def _title(article, kind, argument, options):
    """What stands in the place of the beginning of a directive."""
    if kind.endswith("-end"):
        return ""
    if kind in ("note", "admonition"):
        return f"**{argument or kind.capitalize()}**\n\n"
    if kind == "solution-start":
        return f"**Solution to {_text(article, f'#{argument} .caption-number')}**\n\n"
    label = re.search(r"^:label: *(.+)$", options, re.M)
    if kind == "exercise-start" and label:
        return f"**{_text(article, f'#{label[1]} .admonition-title')}**\n\n"
    if kind == "figure-md":
        return f"**{_text(article, f'#{argument} .caption-number')}**\n\n"
    raise BookError(f"there is no plain form for :::{{{kind}}} {argument}".rstrip())


def _tag(article, label):
    """The end of a numbered equation, with its number."""
    number = _text(article, f"#equation-{label} .eqno").strip("()#")
    return f"\n\\tag{{{number}}}\n$$"


def _text(article, selector):
    """The text of the first such part of a page."""
    if (node := article.select_one(selector)) is None:
        raise BookError(f"the page has no {selector}; labels are of small letters, digits and -")
    return " ".join(node.get_text().split())
