"""The pages in a browser: nothing is asked of other sites, all can be used, figures answer."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree import ElementTree

import build_book
import pytest
from test_figures import FIGURES, random_values

AXE = build_book.ROOT / "node_modules" / "axe-core" / "axe.min.js"
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
VIEWS = {"light": ("light", WIDE), "dark": ("dark", WIDE), "telephone": ("dark", NARROW)}
OURS = ("file:", "data:", "blob:", "about:", "http://127.0.0.1:")
# What the figure shows now: of each element with blanks, what stands in them.
SHOWN = """root => [...root.querySelectorAll("svg *")].map(element => [...element.attributes]
    .filter(({name}) => name.startsWith("data-set-"))
    .map(({name}) => name == "data-set-text" ? element.textContent
                                             : element.getAttribute(name.slice(9))))"""


# Of a picture: the least height of letters, the words that leave it, and those over each other.
LETTERS = """svg => {
    const seen = [...svg.querySelectorAll("text:not([transform])")].filter(text => text.textContent
        && getComputedStyle(text).visibility === "visible" && getComputedStyle(text).opacity > 0);
    const scale = svg.getScreenCTM().a, all = svg.getBoundingClientRect();
    const boxes = seen.map(text => [text.textContent, text.getBoundingClientRect()]);
    const over = (a, b) => a.left < b.right && b.left < a.right
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 5; // a line's air is no letter
    return [Math.min(...seen.map(text => scale * parseFloat(getComputedStyle(text).fontSize))),
        boxes.filter(([, box]) => box.left < all.left - 1 || box.right > all.right + 1),
        boxes.flatMap(([a, box], i) => boxes.slice(0, i).filter(([, other]) => over(box, other))
            .map(([b]) => [a, b]))];
}"""


@contextmanager
def opened(browser, address, scheme="light", size=WIDE, **options) -> Iterator:
    """A page, with `asked`, the outside addresses it asked for, and `errors`, what went wrong."""
    context = browser.new_context(color_scheme=scheme, viewport=size, **options)
    page = context.new_page()
    page.asked, page.errors = [], []
    page.on("request", lambda r: page.asked.append(r.url) if not r.url.startswith(OURS) else None)
    page.on("console", lambda m: page.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(address)
    try:
        yield page
    finally:
        context.close()


def names(site):
    """The pages that are read, as paths within the site."""
    found = sorted(path.relative_to(site) for path in site.rglob("*.html"))
    return [path.as_posix() for path in found if "_static" not in path.parts]


def test_from_file_with_the_network_closed_no_page_asks_or_complains(browser, site):
    wrong = {}
    for name in names(site):
        with opened(browser, (site / name).as_uri(), offline=True) as page:
            page.wait_for_load_state()
            if page.asked or page.errors:
                wrong[name] = (page.asked, page.errors)
    assert not wrong


@pytest.mark.parametrize("view", VIEWS)
def test_every_page_can_be_used_by_everyone(browser, site, address, view):
    """axe-core finds nothing, of any level; nothing is asked of others; no page is too wide."""
    scheme, size = VIEWS[view]
    axe, wrong = AXE.read_text(encoding="utf-8"), {}
    for name in names(site):
        with opened(browser, f"{address}/{name}", scheme, size, reduced_motion="reduce") as page:
            page.evaluate(axe)
            found = page.evaluate("axe.run()")["violations"]
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            told = [(rule["id"], rule["nodes"][0]["html"]) for rule in found]
            if told or page.asked or page.errors or wide > 0:
                wrong[name] = (told, page.asked, page.errors, wide)
    assert not wrong


def test_the_search_finds_a_chapter(browser, site, address):
    with opened(browser, f"{address}/search.html?q=bottleneck") as page:
        page.wait_for_selector("#search-results li a[href*='02_why_attention']")
        assert not page.errors


@pytest.fixture
def figure_page(browser, tmp_path):
    """A function: figures -> a page that shows each of them twice."""
    contexts = []

    def show(*figures, **options):
        html = "".join(figure.html() for figure in figures for _ in range(2))
        head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Figures</title>'
        (tmp_path / "page.html").write_text(f"{head}<main>{html}</main></html>", encoding="utf-8")
        context = browser.new_context(viewport=WIDE, **options)
        contexts.append(context)
        page = context.new_page()
        page.goto((tmp_path / "page.html").as_uri())
        return page

    yield show
    for context in contexts:
        context.close()


def expected(figure, values):
    """What torch says should stand in the figure's blanks."""
    before, after = ElementTree.fromstring(figure.svg), figure.picture(**values)
    rows = []
    for blank, shown in zip(before.iter(), ElementTree.fromstring(after).iter(), strict=True):
        sets = [name.removeprefix("data-set-") for name in blank.attrib if "data-set-" in name]
        rows.append([shown.text if name == "text" else shown.get(name) for name in sets])
    return rows[1:]  # without the svg element itself


def same(found, wanted):
    """Whether two blanks say the same; the last of two decimals may differ by one."""
    found, wanted = found or "", wanted or ""
    if found == wanted:
        return True
    words = [found.replace(",", " ").split(), wanted.replace(",", " ").split()]
    return len(words[0]) == len(words[1]) and all(map(near, *words))


def near(found, wanted):
    try:
        return float(found) == pytest.approx(float(wanted), abs=0.011)
    except ValueError:
        return found == wanted


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_shows_what_torch_computes(figure_page, name):
    """Set all controls as a reader can, and read the picture; the copy beside it stands still."""
    figure, draw = FIGURES[name](), random.Random(1)
    page = figure_page(figure)
    first, second = page.query_selector_all(".d2l-viz")
    untouched = second.evaluate(SHOWN)
    for _ in range(5):
        values = random_values(figure, draw)
        for control in figure.controls:
            element, value = first.query_selector(f'[name="{control.name}"]'), values[control.name]
            if control.options:
                element.select_option(value)
            elif isinstance(value, bool):
                element.set_checked(value)
            else:
                element.fill(str(value))
        shown, wanted = first.evaluate(SHOWN), expected(figure, values)
        for found, right in zip(shown, wanted, strict=True):
            assert all(map(same, found, right)), (values, found, right)
        assert first.query_selector(".says").text_content() == figure.sentence(**values)
    assert second.evaluate(SHOWN) == untouched


@pytest.mark.parametrize("name", FIGURES)
def test_every_control_is_reached_and_moved_by_keyboard(figure_page, name):
    figure = FIGURES[name]()
    page = figure_page(figure)
    for control in figure.controls:
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.name")
        assert focused == control.name
        element = page.query_selector(f'.d2l-viz [name="{control.name}"]')
        before = element.input_value(), element.evaluate("e => e.checked")
        page.keyboard.press("Space" if isinstance(control.value, bool) else "ArrowUp")
        if (element.input_value(), element.evaluate("e => e.checked")) == before:
            page.keyboard.press("ArrowDown")
        assert (element.input_value(), element.evaluate("e => e.checked")) != before


@pytest.mark.parametrize("name", FIGURES)
def test_on_a_telephone_letters_can_be_read(figure_page, name):
    """At least 11 pixels high, none out of the picture, and no word over another."""
    page = figure_page(FIGURES[name]())
    page.set_viewport_size(NARROW)
    page.add_style_tag(content="body { margin: 0 16px }")  # as in the book
    letters, outside, overlaps = page.locator(".d2l-viz svg").first.evaluate(LETTERS)
    assert letters >= 11
    assert (outside, overlaps) == ([], [])


@pytest.mark.parametrize("touch", [False, True], ids=["mouse", "finger"])
@pytest.mark.parametrize("name", FIGURES)
def test_handles_are_dragged(figure_page, name, touch):
    figure = FIGURES[name]()
    page = figure_page(figure, has_touch=touch)
    handles = page.query_selector(".d2l-viz").query_selector_all("[data-drag-x], [data-drag-y]")
    dragged = {control.name for control in figure.controls if control.drags}
    assert dragged <= {name for handle in handles for name in sliders_of(handle)}
    svg = page.query_selector("svg").bounding_box()
    middle = svg["x"] + svg["width"] / 2, svg["y"] + svg["height"] / 2
    for handle in handles:
        sliders = [page.query_selector(f"[name={name}]") for name in sliders_of(handle)]
        box = handle.bounding_box()
        if handle.evaluate("handle => handle.matches('.track')"):
            # A track moves its sliders to where one clicks: here from one corner to the other.
            at = [(box["x"] + 2, box["y"] + 2)]
            at.append((box["x"] + box["width"] - 2, box["y"] + box["height"] - 2))
        else:
            x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            at = [(x, y), (towards(x, middle[0]), towards(y, middle[1]))]
        found = []
        for press, release in ((at[0], at[0]), at):
            drag(page, press, release, touch)
            found.append([slider.input_value() for slider in sliders])
        assert found[0] != found[1]


def towards(x, middle):
    """A place 40 pixels nearer to the middle, where there is room to move."""
    return x + 40 if x < middle else x - 40


def drag(page, start, end, touch):
    """By mouse or by finger; a finger that would scroll the page taps the end instead."""
    if touch:
        drag_with_finger(page, *start, *end)
        page.touchscreen.tap(*end)
    else:
        page.mouse.move(*start)
        page.mouse.down()
        page.mouse.move(*end, steps=4)
        page.mouse.up()


def sliders_of(handle):
    rules = [handle.get_attribute(f"data-drag-{axis}") for axis in "xy"]
    return [rule.split("*")[0] for rule in rules if rule]


def drag_with_finger(page, x, y, to_x, to_y):
    session = page.context.new_cdp_session(page)
    points = [(x, y), ((x + to_x) / 2, (y + to_y) / 2), (to_x, to_y)]
    for kind, (at_x, at_y) in zip(("Start", "Move", "Move"), points, strict=True):
        point = {"touchPoints": [{"x": at_x, "y": at_y}]}
        session.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", **point})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


@pytest.mark.parametrize("name", FIGURES)
def test_without_scripts_a_picture_and_a_sentence_remain(figure_page, name):
    page = figure_page(FIGURES[name](), java_script_enabled=False)
    figure = page.query_selector(".d2l-viz")
    assert figure.query_selector("svg").is_visible()
    assert not figure.query_selector(".controls").is_visible()
    assert "With scripts on" in figure.inner_text()
