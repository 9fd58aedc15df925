"""What an interactive figure is: controls, a picture with blanks, and a computation.

The picture is an SVG. An attribute `data-set-y="{w0*-70+250}"` says that y is to be 250 minus 70
times the number w0, `data-set-text="{w0:2}"` that the text is w0 with two decimals. The computation
turns the values of the controls into these numbers and words. It is written twice, here with the
book's own layers and in a few lines of JavaScript for a page without a kernel; the tests hold the
two together. The picture is written once, and both fill its blanks in the same way.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree

Value = Any  # of a control: a number, a word or a bool, as its first value is
BLANK = re.compile(r"\{(\w+)(?:\*([-.\d]+))?(?:\+([-.\d]+))?(?::(\d))?\}")
SET = "data-set-"
SVG = "http://www.w3.org/2000/svg"
WIDGET = "application/vnd.jupyter.widget-view+json"

ElementTree.register_namespace("", SVG)


@dataclass(frozen=True)
class Control:
    """Something to change: a slider, a choice among `options`, or, if `value` is a bool, a switch.

    `low`, `high` and `step` are the slider's; with a whole `step` its value is a whole number. On a
    page a slider that `drags` a handle of the picture is seen there alone; a keyboard reaches it.
    """

    name: str
    label: str
    value: Value
    low: float = 0
    high: float = 1
    step: float = 0.1
    options: tuple[str, ...] = ()
    drags: bool = False

    def html(self) -> str:
        """The control as an element of a form, with its label."""
        marks = f'name="{escape(self.name)}"'
        label = f"<span>{escape(self.label)}</span>"
        if self.options:
            chosen = {True: " selected", False: ""}
            options = "".join(
                f"<option{chosen[option == self.value]}>{escape(option)}</option>"
                for option in self.options
            )
            return f"<label>{label}<select {marks}>{options}</select></label>"
        if isinstance(self.value, bool):
            checked = " checked" if self.value else ""
            return f'<label><input type="checkbox" {marks}{checked}>{label}</label>'
        limits = f'min="{self.low}" max="{self.high}" step="{self.step}" value="{self.value}"'
        slider = f'<input type="range" {marks} {limits} autocomplete="off">'
        hidden = ' class="drags"' if self.drags else ""
        return f"<label{hidden}>{label}{slider}<output>{self.value}</output></label>"

    def widget(self) -> Any:
        """The control as an ipywidget."""
        import ipywidgets

        looks = {"style": {"description_width": "11rem"}, "layout": {"width": "27rem"}}
        shared = {"value": self.value, "description": self.label} | looks
        if self.options:
            return ipywidgets.Dropdown(options=self.options, **shared)
        if isinstance(self.value, bool):
            return ipywidgets.Checkbox(**shared)
        slider = ipywidgets.IntSlider if isinstance(self.step, int) else ipywidgets.FloatSlider
        return slider(min=self.low, max=self.high, step=self.step, **shared)


@dataclass(frozen=True, repr=False)
class Figure:
    """An interactive figure; the last line of a notebook's cell shows it.

    With a kernel it is an ipywidget, and `compute` works out each picture anew. On a page, and in a
    notebook whose kernel has ended, it is self-contained HTML and asks for nothing; without
    scripts, or as `image/svg+xml`, a picture.

    Args:
        name: of the JavaScript file beside this module that computes what `compute` does.
        alt: what one sees, for those who do not.
        controls: what the reader can change.
        svg: the picture, with blanks.
        says: a sentence with blanks; a screen reader speaks it after each change.
        compute: from the values of the controls, by name, to what goes into the blanks.
        data: what the JavaScript needs besides.
    """

    name: str
    alt: str
    controls: tuple[Control, ...]
    svg: str
    says: str
    compute: Callable[[Mapping[str, Value]], dict[str, Value]]
    data: Any = field(default=None)

    def __repr__(self) -> str:
        return f"{self.alt} {self.sentence()}"

    def values(self, **changed: Value) -> dict[str, Value]:
        """The values of the controls at the start, some of them changed.

        Raises:
            KeyError: there is no such control.
        """
        known = {control.name: control.value for control in self.controls}
        for name in changed:
            if name not in known:
                raise KeyError(f"{self.name} has no control {name!r}; it has {', '.join(known)}")
        return known | changed

    def picture(self, **changed: Value) -> str:
        """The SVG as it looks with these values and without blanks, named by `alt`."""
        found = self.compute(self.values(**changed))
        root = ElementTree.fromstring(self.svg)
        wide = root.attrib["viewBox"].split()[2]
        root.attrib |= {"role": "img", "aria-label": self.alt, "style": f"--wide: {wide}"}
        for element in root.iter():
            for name, template in list(element.attrib.items()):
                if name == SET + "text":
                    element.text = fill(template, found)
                elif name.startswith(SET):
                    element.set(name.removeprefix(SET), fill(template, found))
        return ElementTree.tostring(root, encoding="unicode")

    def image(self) -> str:
        """The SVG as it looks at first, with its styles, to stand by itself."""
        start, drawing = self.picture().split(">", 1)
        return f'{start} class="d2l-viz"><style>{asset("figure.css")}</style>{drawing}'

    def sentence(self, **changed: Value) -> str:
        """What a screen reader says with these values."""
        return fill(self.says, self.compute(self.values(**changed)))

    def html(self) -> str:
        """The figure for a page: styles, picture, controls and scripts in one element."""
        controls = "".join(control.html() for control in self.controls)
        says = f'data-says="{escape(self.says)}"'
        data = json.dumps(self.data, ensure_ascii=False).replace("<", "\\u003c")
        start = 'd2lFigure(document.currentScript.closest(".d2l-viz"), compute, data);'
        return (
            f'<div class="d2l-viz" data-figure="{self.name}">'
            f"<style>{asset('figure.css')}</style>{self.picture()}"
            f'<div class="controls" hidden>{controls}</div>'
            f'<p class="says" aria-live="polite" {says}>{escape(self.sentence())}</p>'
            "<noscript><p>With scripts on, this picture answers to the hand.</p></noscript>"
            f"<script>{{{asset('figure.js')}\n"
            f"const compute = {asset(self.name + '.js')};\nconst data = {data};\n{start}}}</script>"
            "</div>"
        )

    def widget(self) -> Any:
        """The figure as an ipywidget whose pictures are computed by Python."""
        import ipywidgets

        controls = {control.name: control.widget() for control in self.controls}
        picture, says = ipywidgets.HTML(), ipywidgets.HTML()

        def show(change: object = None) -> None:
            values = {name: control.value for name, control in controls.items()}
            style = f"<style>{asset('figure.css')}</style>"
            picture.value = f'<div class="d2l-viz">{style}{self.picture(**values)}</div>'
            says.value = f'<p aria-live="polite">{escape(self.sentence(**values))}</p>'

        for control in controls.values():
            control.observe(show, names="value")
        show()
        return ipywidgets.VBox([picture, *controls.values(), says])

    def forms(self) -> list[dict[str, Any]]:
        """The outputs that a notebook's cell shows, each by the types that it can be shown as.

        The first lasts, on a page as in a notebook that is opened again. The second is the widget,
        which dies with its kernel. While it lives it hides the first; once it is dead JupyterLab
        would say no more than that, and the first hides it.
        """
        lasting = {
            "text/html": self.html(),
            "image/svg+xml": self.image(),
            "text/plain": repr(self),
        }
        try:
            import ipywidgets
        except ImportError:  # the page's form works in a notebook, too
            return [lasting]
        mark, output = f"d2l-{uuid4().hex}", ".jp-OutputArea-child"
        dead = f"{output}:has(.{mark}) + {output}:not(:has(.d2l-viz))"
        hides = "<style>{} {{display: none}}</style>".format
        lasting["text/html"] = f'<div class="{mark}">{hides(dead)}{lasting["text/html"]}</div>'
        widget = self.widget()
        unseen = ipywidgets.HTML(hides(f".{mark}"), layout={"display": "none"})
        widget.children = (*widget.children, unseen)
        return [lasting, {WIDGET: widget._repr_mimebundle_()[WIDGET]}]

    def _ipython_display_(self) -> None:
        from IPython.display import display

        for form in self.forms():
            display(form, raw=True)


def fill(template: str, found: Mapping[str, Value]) -> str:
    """Fill the blanks of a template: `{name}`, `{name:digits}`, `{name*factor+shift}`."""

    def blank(match: re.Match[str]) -> str:
        name, factor, shift, digits = match.groups()
        value = found[name]
        if isinstance(value, str):
            return value
        return f"{float(value) * float(factor or 1) + float(shift or 0):.{digits or 2}f}"

    return BLANK.sub(blank, template)


@cache
def asset(name: str) -> str:
    """The text of a file beside this module."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8").strip()
