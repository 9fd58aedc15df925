"""The translator's page in a browser: what it writes, what it shows, and what it makes of nonsense.

Most tests look at a small page with the translator alone, opened from the disk with the network
closed; the last ones look at the page of the built book.
"""

import os
import re
import threading
from functools import cache
from types import SimpleNamespace

import build_book
import d2l_book
import live_figures
import pytest
import torch
from serving import Quiet, serving
from test_browser import AXE, VIEWS, opened

import d2l_lite as d2l
from d2l_lite.figures.export import rounded

STATIC = build_book.ROOT / "book" / "_static"
SENTENCES = {
    "built-in": "She doesn't have a red car.",
    "fra-eng": "Tom doesn't like red apples.",
}
each_model = pytest.mark.parametrize("model", live_figures.MODELS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with `page.html`, which holds the translator, and `two.html`, which holds two."""
    folder = tmp_path_factory.mktemp("translator")
    d2l_book.add_translators(SimpleNamespace(outdir=folder, builder=SimpleNamespace(format="html")))
    scripts = folder / "_static" / "translator"
    (scripts / "page.js").write_bytes((STATIC / "translator" / "page.js").read_bytes())
    html = live_figures.translator("_static/translator").html()
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Translator</title>'
    head += '<link rel="icon" href="data:,">'
    for name, count in {"page": 1, "two": 2}.items():
        page = f"{head}<main>{html * count}</main></html>"
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def where(folder):
    """The address of the small page over http, where a test can stand between it and its files."""
    with serving(Quiet, directory=folder) as address:
        yield f"{address}/page.html"


@pytest.fixture
def page(browser, folder):
    """The small page, without pauses; at the end nothing went wrong, no other site was asked."""
    address = (folder / "page.html").as_uri()
    with opened(browser, address, offline=True, reduced_motion="reduce") as page:
        said(page)
        yield page
        assert (page.asked, page.errors) == ([], [])


def said(page, copy=0):
    """What the translator tells when it is ready."""
    says = page.locator(".translator .says").nth(copy)
    told = "says => says.textContent && !says.textContent.startsWith('Loading')"
    page.wait_for_function(told, arg=says.element_handle())
    return says.text_content()


def start(page, text, model="built-in", beam=1, copy=0):
    root = page.locator(".translator").nth(copy)
    root.locator("[name=sentence]").fill(text)
    root.locator("[name=model]").select_option(model)
    root.locator("[name=beam]").select_option(str(beam))
    root.get_by_text("Translate", exact=True).click()


def translate(page, text, *choices, **more):
    """Type a sentence, press the button, wait; what the translator tells then."""
    start(page, text, *choices, **more)
    return said(page, more.get("copy", 0))


def written(page, copy=0):
    return page.locator(".translator").nth(copy).locator(".target button").all_text_contents()


def numbers(locator):
    return [float(text) for text in locator.all_text_contents()]


@cache
def torch_says(model, text, beam=1):
    """What d2l.translate gives with the parameters that the page has, rounded ones."""
    run, _ = live_figures.MODELS[model]
    (found,) = d2l.translate(rounded(d2l.load_run(run).model, "int8"), [text], beam=beam)
    return found


# What it writes and shows.


@pytest.mark.parametrize("beam", [1, 4])
@each_model
def test_it_writes_the_words_and_weights_of_torch(page, model, beam):
    ours = torch_says(model, SENTENCES[model], beam)
    assert len(ours.words) > 5 and "<unk>" not in ours.words
    assert translate(page, SENTENCES[model], model, beam) == f"In French: {ours.text}"
    assert written(page) == ours.words
    assert page.locator(".weights thead th").all_text_contents() == ours.source_words
    assert page.locator(".weights tbody th").all_text_contents() == ours.words
    cells = [numbers(row.locator("td")) for row in page.locator(".weights tbody tr").all()]
    assert (torch.tensor(cells) - ours.weights).abs().max() < 0.0051


@pytest.mark.parametrize("way", ["hover", "focus", "tap"])
def test_a_written_word_lights_up_what_it_looked_at(browser, folder, way):
    ours = torch_says("built-in", "She has a red car.")
    with opened(browser, (folder / "page.html").as_uri(), has_touch=True) as page:
        said(page)
        for t in (3, 0, 4):
            getattr(page.locator(".target button").nth(t), way)()
            shown = torch.tensor(numbers(page.locator(".source small")))
            assert (shown - ours.weights[t]).abs().max() < 0.0051
            lit = page.locator(".source .word").evaluate_all(
                "words => words.map(word => getComputedStyle(word).getPropertyValue('--weight'))"
            )
            assert [float(weight) for weight in lit] == pytest.approx(
                ours.weights[t].tolist(), abs=1e-4
            )
            best = ours.source_words[int(ours.weights[t].argmax())]
            looks = page.locator(".looks").text_content()
            assert looks.startswith(f"Writing “{ours.words[t]}”, it looked at “{best}”")
            pressed = page.locator(".target button[aria-pressed=true]").all_text_contents()
            assert pressed == [ours.words[t]]
            assert page.locator(".weights tr.chosen th").text_content() == ours.words[t]


def test_words_appear_one_by_one_and_a_new_sentence_ends_the_old(browser, folder):
    with opened(browser, (folder / "page.html").as_uri()) as page:
        said(page)
        start(page, SENTENCES["built-in"])
        page.wait_for_function("document.querySelectorAll('.target button').length == 2")
        assert page.locator(".says").text_content() == ""
        assert translate(page, "The car is new.") == "In French: la voiture est nouvelle."
        page.wait_for_timeout(400)
        assert page.locator(".says").text_content() == "In French: la voiture est nouvelle."
        assert written(page) == torch_says("built-in", "The car is new.").words


def test_beam_search_shows_the_hypotheses_of_each_step(page):
    assert not page.locator(".search").is_visible()
    ours = torch_says("built-in", SENTENCES["built-in"], beam=4)
    translate(page, SENTENCES["built-in"], beam=4)
    step, shown = page.locator(".search input"), page.locator(".hypotheses li")
    steps = int(step.get_attribute("max"))
    assert steps >= len(ours.words) + 1
    assert step.input_value() == str(steps)
    assert any(f"{ours.text} <eos>" in text for text in shown.all_text_contents())
    for length in (3, 1):
        step.fill(str(length))
        assert page.locator(".search output").text_content() == str(length)
        found = [re.fullmatch(r"(.*)  \((-\d\.\d\d)\)", t) for t in shown.all_text_contents()]
        scores = [float(match[2]) for match in found]
        assert len(scores) == 4 and scores == sorted(scores, reverse=True)
        lengths = {len(d2l.tokenize(match[1].removesuffix(" <eos>"))) for match in found}
        assert lengths <= {length, length - 1}


# A link.


@each_model
def test_a_shared_link_opens_the_same_translation(browser, where, model):
    text = 'Is Tom\'s car "red" & new + 100 % <b>? ça, 二'
    with opened(browser, where, reduced_motion="reduce") as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        said(page)
        told = translate(page, text, model, 4)
        words = written(page)
        page.get_by_text("Copy link").click()
        page.wait_for_function("document.querySelector('.says').textContent.includes('copied')")
        link = page.evaluate("navigator.clipboard.readText()")
        assert link == page.url and "#s=Is+Tom" in link
        page.goto("about:blank")
        page.goto(link)
        assert said(page) == told and written(page) == words
        form = {e: page.locator(f"[name={e}]").input_value() for e in ("sentence", "model", "beam")}
        assert form == {"sentence": text, "model": model, "beam": "4"}
        assert (page.asked, page.errors) == ([], [])


def test_a_link_followed_on_the_page_itself_is_opened(page):
    page.evaluate("location.hash = '#s=the%20red%20cat'")
    page.wait_for_function("document.querySelector('.source').textContent.includes('cat')")
    assert page.locator("[name=sentence]").input_value() == "the red cat"


@pytest.mark.parametrize(
    "fragment", ["#", "#s=", "#what-happens-in-this-page", "#&&==", "#m=fra-eng&b=4", "#%", "#s"]
)
def test_a_fragment_without_a_sentence_changes_nothing(browser, folder, fragment):
    address = (folder / "page.html").as_uri() + fragment
    with opened(browser, address, offline=True) as page:
        assert said(page) == "In French: elle a une voiture rouge."
        assert page.locator("[name=model]").input_value() == "built-in"
        assert page.errors == []


@pytest.mark.parametrize("fragment", ["#s=%E0%A4%A", "#s=red&m=none&b=99", "#s=red&m=&b=%00&s=x"])
def test_a_malformed_fragment_does_no_harm(browser, folder, fragment):
    address = (folder / "page.html").as_uri() + fragment
    with opened(browser, address, offline=True, reduced_motion="reduce") as page:
        assert said(page).startswith("In French: ")
        assert page.locator("[name=model]").input_value() == "built-in"
        assert page.locator("[name=beam]").input_value() == "1"
        assert page.errors == []


# Words that it does not know, and what is no sentence.


def test_unknown_words_are_kept_and_marked(page):
    told = translate(page, "She has a purple car.", "fra-eng")
    ours = torch_says("fra-eng", "She has a purple car.")
    t = ours.words.index("<unk>")
    assert page.locator(".source .unknown").all_text_contents()[0].startswith("purple")
    assert page.locator(".target .unknown").all_text_contents() == ["purple"]
    assert written(page)[t] == "purple"
    assert "Not in the vocabulary, read as <unk>: “purple”." in told
    assert told.startswith("In French: elle a une voiture purple.")
    page.locator(".target .unknown").hover()
    assert (
        page.locator(".looks").text_content().startswith("Writing “<unk>”, it looked at “purple”")
    )


def test_markup_is_shown_as_text(page):
    text = '<img src=x onerror="document.title=1"> <script>document.title=2</script> &amp; <b>'
    for model in live_figures.MODELS:
        for beam in (1, 4):
            told = translate(page, text, model, beam)
            assert "“img”" in told and "“<”" in told
            assert page.locator(".translator").locator("img, b").count() == 0
            assert page.locator(".translator").locator("script").count() == 3  # its own
    sources = page.locator(".source .word").evaluate_all(
        "words => words.map(word => word.firstChild.data)"
    )
    assert sources == d2l.tokenize(text)
    assert page.title() == "Translator"


BAD = {
    "": 'the sentence "" has no word in it',
    "   ": "has no word in it",
    "one " * 501: "a sentence of 501 words; the longest taken has 500",
}


@pytest.mark.parametrize("text", BAD, ids=["empty", "spaces", "501 words"])
def test_bad_input_is_named_and_the_next_sentence_works(page, text):
    told = translate(page, text)
    assert told.startswith("This cannot be translated: ") and BAD[text] in told
    assert "the other model" not in told
    assert not page.locator(".result").is_visible()
    assert translate(page, "She has a red car.") == "In French: elle a une voiture rouge."


@pytest.mark.parametrize(
    "text", ["我喜歡紅蘋果。", "это красная машина", "हिन्दी ไทย עִברִית", "👩‍👧 ﷽ \u202e"]
)
def test_other_scripts_are_kept_and_named(page, text):
    told = translate(page, text)
    assert "Not in the vocabulary" in told
    assert all(f"“{word}”" in told for word in d2l.tokenize(text) if word != ".")


def test_500_words_are_taken_and_can_be_broken_off(page):
    start(page, "the red car " * 166 + "the end")
    page.wait_for_function("document.querySelectorAll('.target button').length > 5")
    assert page.locator(".source .word").count() == 500
    assert not page.locator(".weights").is_visible()
    assert translate(page, "She has a red car.") == "In French: elle a une voiture rouge."
    assert page.locator(".weights").is_visible()


# Files that are missing or damaged.


def broken(text):
    """One letter of the parameters changed."""
    place = text.index('"weights"') + 5000
    return text[:place] + ("1" if text[place] == "0" else "0") + text[place + 1 :]


@pytest.mark.parametrize("damage", ["missing", "one letter", "cut short"])
def test_a_bad_file_is_named_and_the_other_model_works(browser, folder, where, damage):
    text = (folder / "_static/translator/fra-eng.js").read_text(encoding="utf-8")
    bodies = {"one letter": broken(text), "cut short": text[: len(text) // 2]}

    def answer(route):
        if damage == "missing":
            return route.abort()
        return route.fulfill(body=bodies[damage], content_type="text/javascript; charset=utf-8")

    expected = "damaged" if damage == "one letter" else "are not there"
    with opened(browser, where, reduced_motion="reduce") as page:
        said(page)
        page.route("**/fra-eng.js", answer)
        told = translate(page, "She has a red car.", "fra-eng")
        assert expected in told and '"fra-eng"' in told and "choose the other model" in told
        assert not page.locator(".progress").is_visible()
        assert translate(page, "She has a red car.") == "In French: elle a une voiture rouge."
        page.unroute("**/fra-eng.js")  # and once the file is whole, so is the page
        assert translate(page, "Go on.", "fra-eng").startswith("In French: ")


def test_missing_scripts_are_named(browser, where):
    with opened(browser, "about:blank") as page:
        page.route("**/translator.js", lambda route: route.abort())
        page.goto(where)
        assert "scripts are missing" in said(page)


# For everyone, everywhere.


def test_the_sizes_that_readers_are_told_are_right(page, folder):
    for name in live_figures.MODELS:
        size = (folder / f"_static/translator/{name}.js").stat().st_size
        told = page.locator(f"option[value={name}]")
        assert told.text_content().endswith(f"sentences (file: {size / 1e6:.1f} MB)")
        assert told.get_attribute("data-size") == str(size)


def test_loading_shows_that_it_goes_on(browser, where):
    with opened(browser, where, reduced_motion="reduce") as page:
        said(page)
        waiting = []
        page.route("**/fra-eng.js", lambda route: waiting.append(route))
        start(page, "Go on.", "fra-eng")
        assert page.locator(".progress").is_visible()
        assert "4.9 MB" in page.locator(".says").text_content()
        page.wait_for_timeout(100)
        assert page.locator(".progress").is_visible()
        waiting[0].continue_()
        assert said(page).startswith("In French: ")
        assert not page.locator(".progress").is_visible()


class _Slow(Quiet):
    """Sends the first half of the large model, and the rest when it may."""

    def __init__(self, *arguments, go_on, **named):
        self.go_on = go_on
        super().__init__(*arguments, **named)

    def copyfile(self, source, target):
        if self.path.endswith("/fra-eng.js"):
            target.write(source.read(os.fstat(source.fileno()).st_size // 2))
            self.go_on.wait(30)
        super().copyfile(source, target)


def test_from_a_server_the_progress_is_that_of_the_bytes(browser, folder):
    go_on = threading.Event()
    with (
        serving(_Slow, directory=folder, go_on=go_on) as address,
        opened(browser, f"{address}/two.html") as page,
    ):
        said(page, copy=0), said(page, copy=1)
        start(page, "Go on.", "fra-eng", copy=0)
        start(page, "Go on.", "fra-eng", copy=1)
        page.wait_for_function("document.querySelector('.progress').value > 0.45")
        found = page.locator(".progress").evaluate_all("all => all.map(one => one.value)")
        assert found == [pytest.approx(0.5, abs=0.01)] * 2
        go_on.set()
        assert said(page, copy=1).startswith("In French: ")
        assert page.errors == []


def test_from_the_disk_the_progress_says_no_more_than_that(page):
    """A script from a disk cannot be watched."""
    page.evaluate(
        """() => document.querySelector(".progress").setAttribute("value", 0.3)
        globalThis.seen = []
        new MutationObserver(() => seen.push(document.querySelector(".progress").position))
            .observe(document.querySelector(".progress"), {attributes: true})"""
    )
    translate(page, "Go on.", "fra-eng")
    assert set(page.evaluate("seen")) == {-1}


def test_a_table_that_is_left_out_is_said_to_be(page):
    assert "left out" not in translate(page, "the red car " * 13 + ".")
    assert page.locator(".weights").is_visible()
    told = translate(page, "the red car " * 14)
    assert "The table of weights is left out: it has room for 40 words a side." in told
    assert not page.locator(".weights").is_visible()


def test_two_copies_do_not_disturb_each_other(browser, folder):
    address = (folder / "two.html").as_uri()
    with opened(browser, address, offline=True, reduced_motion="reduce") as page:
        said(page, copy=0), said(page, copy=1)
        html = page.locator(".translator .result").nth(1).inner_html()
        assert translate(page, "The car is new.", beam=4, copy=0).endswith("nouvelle.")
        assert page.locator(".translator .result").nth(1).inner_html() == html
        assert translate(page, "Go on.", "fra-eng", copy=1).startswith("In French: ")
        assert written(page, copy=0) == torch_says("built-in", "The car is new.", beam=4).words
        assert page.locator("[id]").count() == 0
        assert page.errors == []


def test_a_keyboard_reaches_all_of_it(page):
    translate(page, "She has a red car.", beam=4)
    page.locator("[name=sentence]").focus()
    found = []
    for _ in range(13):
        found.append(
            page.evaluate("(e => e.name || e.type || e.className)(document.activeElement)")
        )
        page.keyboard.press("Tab")
    words = ["button"] * 6
    assert found == [
        *("sentence", "model", "beam", "submit", "button"),
        *(*words, "range", "weights"),
    ]
    page.locator("[name=sentence]").fill("The car is new.")
    page.keyboard.press("Enter")
    assert said(page) == "In French: la voiture est nouvelle."


def test_the_finished_translation_is_announced(page):
    assert page.locator(".says").get_attribute("role") == "status"
    assert page.locator("[aria-live], [role=status], [role=alert]").count() == 1


def test_without_scripts_a_picture_and_a_sentence_remain(browser, folder):
    address = (folder / "page.html").as_uri()
    with opened(browser, address, offline=True, java_script_enabled=False) as page:
        assert page.locator(".translator svg").is_visible()
        assert "needs scripts" in page.locator(".translator").inner_text()
        assert not page.locator("form").is_visible()


@each_model
def test_ready_soon_after_the_bytes_have_come(browser, where, model, record_property):
    """The time is recorded, not judged: machines differ."""
    with opened(browser, where, reduced_motion="reduce") as page:
        said(page)
        translate(page, "Go on.", model)
        took = page.evaluate(
            """name => performance.getEntriesByName(`${name} is ready`)[0].startTime
            - performance.getEntriesByType("resource").find(
                entry => entry.name.endsWith(`/${name}.js`)).responseEnd""",
            model,
        )
        print(f"{model}: ready {took:.0f} ms after the bytes had come")
        record_property(f"milliseconds until {model} is ready", round(took))
        assert took > 0


# The page of the book.


def test_the_books_page_translates_from_the_disk(browser, site):
    address = (site / "book" / "translator.html").as_uri()
    fragment = "#s=She+has+a+purple+car.&m=fra-eng&b=4"
    with opened(browser, address + fragment, offline=True) as page:
        assert said(page).startswith("In French: elle a une voiture purple.")
        assert (page.asked, page.errors) == ([], [])


@pytest.mark.parametrize("view", VIEWS)
def test_what_the_books_page_has_written_can_be_read_by_everyone(browser, address, view):
    scheme, size = VIEWS[view]
    where = f"{address}/book/translator.html#s=She+has+a+purple+car%2C+Tom.&b=4"
    with opened(browser, where, scheme, size, reduced_motion="reduce") as page:
        said(page)
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run()")["violations"]
        assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == []
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert page.errors == []


def test_the_decoders_chapter_leads_to_it(site):
    chapter = (site / "notebooks" / "11_attention_decoder.html").read_text(encoding="utf-8")
    assert 'href="../book/translator.html' in chapter
