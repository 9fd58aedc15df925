"""The figures in a real JupyterLab: beside a running kernel, and opened again without one."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
from collections import deque
from types import SimpleNamespace

import build_book
import pytest
from nbformat import v4, write
from test_browser import SHOWN, expected, opened, same
from test_figures import FIGURES, random_values

PATIENCE = 60_000  # milliseconds; a quiet machine needs a tenth of it
OPTIONS = (
    *("--no-browser", "--allow-root", "--port=0", "--IdentityProvider.token=a-test"),
    *("--LabApp.extension_manager=readonly", "--LabApp.expose_app_in_browser=True"),
)
NO_NEWS = {"fetchNews": "false", "checkForUpdates": False}  # for which Lab asks another host
SESSION = "jupyterapp.shell.currentWidget.context.sessionContext"
# Which cell of the notebook is chosen, what is in the cells, and what has the keyboard's focus.
STATE = """(book => [book.activeCellIndex, book.widgets.map(
    cell => cell.model.sharedModel.getSource()), document.activeElement.className
    ])(jupyterapp.shell.currentWidget.content)"""
SETTLED = """count => (outputs => outputs.length === count
    && outputs.every(output => !output.textContent.startsWith("Loading"))
    )([...document.querySelectorAll(".lm-Panel.jp-OutputArea-output")])"""
# Whether a figure shows these words and numbers; the last of two decimals may differ by one.
SHOWS = f"""([figure, wanted]) => {{
    const shown = [[figure.querySelector("p").textContent], ...({SHOWN})(figure)];
    const words = text => (text ?? "").replaceAll(",", " ").split(" ");
    const near = (a, b) => a === b || Math.abs(a - b) < 0.011;
    const same = (a, b) => a.length === b.length && a.every((word, i) => near(word, b[i]));
    return shown.every((row, i) => row.every((text, j) => same(words(text), words(wanted[i][j]))));
}}"""
# The contrast (WCAG) of what is drawn or written in the notebook with what is behind it.
CONTRAST = """element => {
    const light = color => color.match(/[\\d.]+/g).slice(0, 3).map(Number).map(x => x / 255)
        .map(x => x > 0.04 ? ((x + 0.055) / 1.055) ** 2.4 : x / 12.92)
        .reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0.05);
    const style = getComputedStyle(element), sheet = element.closest(".jp-NotebookPanel-notebook");
    const ink = element.matches("svg text") ? style.fill : style.color;
    const both = [light(ink), light(getComputedStyle(sheet).backgroundColor)];
    return Math.max(...both) / Math.min(...both);
}"""
ROLES = ("weight", "query", "key", "value", "context", "plain")
each = pytest.mark.parametrize("name", FIGURES)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab with nobody's settings: its address, the folder that it shows, its options."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("notebooks")
    own = {name: str(home) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    own |= {f"JUPYTERLAB_{name}_DIR": str(home / name) for name in ("SETTINGS", "WORKSPACES")}
    own["JUPYTER_RUNTIME_DIR"] = str(home / "runtime")
    own["PYTHONPATH"] = os.pathsep.join(map(str, (build_book.ROOT, build_book.ROOT / "tests")))
    settings = home / "SETTINGS" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(NO_NEWS))
    command = [sys.executable, "-m", "jupyterlab", *OPTIONS, f"--ServerApp.root_dir={folder}"]
    with subprocess.Popen(command, env=os.environ | own, stderr=subprocess.PIPE, text=True) as lab:
        told, address = [], None
        try:
            while not address and (line := lab.stderr.readline()):
                told.append(line)
                address = re.search(r"http://127\.0\.0\.1:\d+", line)
            rest = threading.Thread(target=deque, args=(lab.stderr, 0), daemon=True)
            rest.start()  # or the pipe would be full one day, and the server wait
            assert address, f"JupyterLab did not start:\n{''.join(told)}"
            yield SimpleNamespace(address=address.group(), folder=folder)
        finally:
            lab.terminate()  # and with it its kernels, which write there, too
            rest.join(PATIENCE / 1000)
            lab.kill()


def look(browser, lab, notebook):
    """A page with a notebook, its kernel ready."""
    return opened(browser, f"{lab.address}/lab/tree/{notebook}?reset&token=a-test")


def ready(page):
    page.set_default_timeout(PATIENCE)
    page.wait_for_function("globalThis.jupyterapp?.shell.currentWidget?.context")
    page.evaluate(f"{SESSION}.ready")


@pytest.fixture(scope="module")
def page(browser, lab):
    """A page with a notebook that shows every figure, all cells run, and saved."""
    cells = ["from test_figures import FIGURES", *(f"FIGURES[{name!r}]()" for name in FIGURES)]
    python = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in cells], metadata=python)
    write(notebook, lab.folder / "figures.ipynb")
    with look(browser, lab, "figures.ipynb") as page:
        ready(page)
        # Lab gives up a widget whose scripts take it more than two seconds to load; not twice.
        for _ in range(2):
            page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
            page.wait_for_function(SETTLED, arg=len(FIGURES))
            if page.locator(".jupyter-widgets .d2l-viz").count() == len(FIGURES):
                break
            page.errors.clear()
        page.evaluate("jupyterapp.commands.execute('docmanager:save')")
        yield page
        assert (page.asked, page.errors) == ([], [])


def output(page, name):
    """What the cell of a figure shows."""
    return page.locator(".jp-Cell-outputArea").nth(1 + list(FIGURES).index(name))


def controls(page, name):
    kinds = (".noUi-handle", "select", "[type=checkbox]")
    return output(page, name).locator(", ".join(f".jupyter-widgets {kind}" for kind in kinds))


def move(page, element, control, value):
    """Set a control as a reader does who has no mouse."""
    element.focus()
    if control.options:
        element.select_option(value)
    elif isinstance(control.value, bool):
        if element.is_checked() != value:
            page.keyboard.press("Space")
    else:
        whole = round((control.high - control.low) / control.step)
        steps = round((value - control.low) / control.step)
        near_low = steps <= whole / 2
        page.keyboard.press("Home" if near_low else "End")
        for _ in range(steps if near_low else whole - steps):
            page.keyboard.press("ArrowUp" if near_low else "ArrowDown")


@each
def test_a_widget_shows_what_torch_computes(page, name):
    """A keyboard moves the controls, the kernel computes, the picture and the sentence follow."""
    figure, draw = FIGURES[name](), random.Random(2)
    box = output(page, name).locator(".widget-vbox").element_handle()
    for _ in range(2):
        values = random_values(figure, draw)
        for i, control in enumerate(figure.controls):
            move(page, controls(page, name).nth(i), control, values[control.name])
        wanted = [[figure.sentence(**values)], *expected(figure, values)]
        page.wait_for_function(SHOWS, arg=[box, wanted])


@each
def test_no_key_on_a_control_commands_the_notebook(page, name):
    """Elsewhere in a notebook arrows choose another cell, a adds one, and d d deletes it."""
    assert controls(page, name).count() == len(FIGURES[name]().controls)
    for control in controls(page, name).all():
        control.focus()
        before = page.evaluate(STATE)
        for key in ("ArrowDown", "j", "a", "d", "d", "x"):
            page.keyboard.press(key)
        assert page.evaluate(STATE) == before


@each
def test_while_the_widget_lives_the_other_form_is_not_seen(page, name):
    assert output(page, name).locator("[data-figure]").count() == 1
    assert not output(page, name).locator("[data-figure]").is_visible()
    assert output(page, name).locator(".jupyter-widgets .d2l-viz").is_visible()


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_ink_and_colours_stand_out_from_the_theme(page, theme):
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    name = json.dumps(theme)
    page.wait_for_function(f"document.body.dataset.jpThemeName === {name}")
    contrast = {
        kind: min(
            page.locator(f".jupyter-widgets {kind}").evaluate_all(f"all => all.map({CONTRAST})")
        )
        for kind in ("svg text", "p", ".widget-label", *(f".d2l-viz .{role}" for role in ROLES))
    }
    pale = {k: x for k, x in contrast.items() if x < (3 if k.startswith(".d2l") else 4.5)}
    assert not pale


@pytest.fixture(scope="module")
def again(browser, lab, page):
    """The executed notebook, opened again, and its kernel ended."""
    shutil.copy(lab.folder / "figures.ipynb", lab.folder / "again.ipynb")
    with look(browser, lab, "again.ipynb") as again:
        ready(again)
        again.evaluate(f"{SESSION}.shutdown()")
        yield again
        assert again.asked == []


@each
def test_opened_again_without_a_kernel_a_figure_answers(again, name):
    figure, shown = FIGURES[name](), output(again, name)
    lasting = shown.locator("[data-figure]")
    values = random_values(figure, random.Random(3))
    for control in figure.controls:
        element = lasting.locator(f"[name={control.name}]")
        if control.options:
            element.select_option(values[control.name])
        elif isinstance(control.value, bool):
            element.set_checked(values[control.name])
        else:
            element.fill(str(values[control.name]))
    rows = zip(lasting.evaluate(SHOWN), expected(figure, values), strict=True)
    assert all(same(*pair) for row in rows for pair in zip(*row, strict=True))
    assert lasting.locator(".says").text_content() == figure.sentence(**values)
    # The dead widget, of which Lab says "Error displaying widget", is there and not seen.
    assert shown.locator(".jp-OutputArea-child").count() == 2
    assert "widget" not in shown.inner_text()
