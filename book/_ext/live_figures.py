"""The interactive figures of pages that are not notebooks; `{live} NAME` puts one there."""

from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

import d2l_lite as d2l
from d2l_lite import figures
from d2l_lite.figures.export import export
from d2l_lite.figures.figure import asset

SENTENCE = "Tom doesn't like red apples."
# The models of the translator's page: name -> the run, and what a reader is told of it.
MODELS = {
    "built-in": ("mini-fra-long-rnn-attention", "built-in: made-up sentences"),
    "fra-eng": ("fra-eng-rnn-attention", "fra-eng: real sentences"),
}


@cache
def home():
    """What the model that ships with the book writes for a sentence, and where it looks."""
    (found,) = d2l.translate(d2l.load_run("fra-eng-rnn-attention").model, [SENTENCE])
    weights = {"fra-eng": found.weights}
    return figures.cross_attention(weights, found.source_words, found.words)


@cache
def exported(name):
    """The file of one of the models, as the reader's browser gets it."""
    with TemporaryDirectory() as folder:
        path = Path(folder, f"{name}.js")
        export(MODELS[name][0], path)
        return path.read_bytes()


def translator(folder="../_static/translator"):
    """The translator; `folder` is where, seen from the page, its scripts and weights lie."""
    return Translator(folder)


@dataclass(frozen=True)
class Translator:
    """A form, and places for what `translator/page.js` shows; without scripts, a picture."""

    folder: str

    def html(self):
        """The form, the places and the scripts in one element."""
        src = f'<script src="{escape(self.folder)}'
        return (
            f'<div class="d2l-viz translator" data-folder="{escape(self.folder)}">'
            f"<style>{asset('figure.css')}</style>{self._form()}{RESULT}{self._without_scripts()}"
            f'{src}/translator.js"></script>{src}/page.js"></script><script>{START}</script></div>'
        )

    def _form(self):
        models = ""
        for name, (_, told) in MODELS.items():
            size = len(exported(name))
            label = f"{escape(told)} (file: {size / 1e6:.1f} MB)"
            models += f'<option value="{name}" data-size="{size}">{label}</option>'
        return FORM.replace("MODELS", models)

    def _without_scripts(self):
        says = f"<p>{escape(home().sentence())}</p>"
        return f"<noscript>{home().picture()}{says}<p>{NOSCRIPT}</p></noscript>"


FORM = """\
<form hidden>
<label class="wide"><span>English</span><input name="sentence" value="She has a red car."
  maxlength="5000" lang="en" autocomplete="off" spellcheck="false"></label>
<label class="wide"><span>model</span>
  <select name="model" autocomplete="off">MODELS</select></label>
<label><span>search</span><select name="beam" autocomplete="off"><option value="1">greedy</option>
  <option value="4">beam of width 4</option></select></label>
<p><button>Translate</button> <button type="button" class="share">Copy link</button>
<progress class="progress" aria-label="loading the model" hidden></progress></p>
</form>
"""

RESULT = """\
<p class="says" role="status"></p>
<div class="result" hidden>
<p class="words source" lang="en"></p>
<p class="words target" lang="fr"></p>
<p class="looks"></p>
<div class="search" hidden>
<label><span>hypotheses of step</span><input type="range" min="1" max="1" value="1"
  autocomplete="off"><output></output></label>
<ol class="hypotheses" lang="fr"></ol></div>
<div class="weights" role="group" aria-label="weights: written words down, source words across"
  tabindex="0"><table><thead></thead><tbody></tbody></table></div>
</div>
"""

NOSCRIPT = (
    "The translator runs in your browser, and needs scripts for it. The picture shows what the "
    f"larger of its two models wrote for <q>{SENTENCE}</q>, and where it looked."
)

START = """{
const root = document.currentScript.closest(".d2l-viz");
if (globalThis.d2lTranslatorPage && globalThis.d2lTranslator) d2lTranslatorPage(root);
else root.querySelector(".says").textContent = "The translator's scripts are missing: reload this.";
}"""
