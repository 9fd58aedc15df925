// The page around translator.js: a form, the French words as they are written, and where each of
// them looks. Copies on one page share the weights and nothing else. Whatever was typed or written
// goes in as text (textContent), never as HTML.

globalThis.d2lTranslatorPage ??= (() => {
  "use strict";

  const PAUSE = 150; // milliseconds after a written word, for the eye
  const LONGEST = 40; // words of a side of which a table of weights can still be read
  const stillness = matchMedia("(prefers-reduced-motion: reduce)");
  const translators = new Map(); // name → promise of a translator
  const come = new Map(); // name → share of its file that has come, where that is known
  const pages = []; // all copies on this page

  function translatorOf(name, folder, size) {
    if (!translators.has(name)) {
      const loading = load(name, folder, size);
      loading.catch(() => translators.delete(name)); // whoever asks again may have more luck
      translators.set(name, loading);
    }
    return translators.get(name);
  }

  // A <script>, because that can come from a disk, too; but it cannot tell how far it is. So from a
  // server its bytes are fetched before.
  async function load(name, folder, size) {
    let src = `${folder}/${name}.js`;
    if (location.protocol !== "file:") {
      come.set(name, 0);
      src = await fetched(src, (bytes) => {
        come.set(name, bytes / size);
        for (const page of pages) page.showProgress();
      }).catch(() => src);
    }
    await new Promise((done) => {
      document.head.append(make("script", "", { src, onload: done, onerror: done }));
    });
    URL.revokeObjectURL(src);
    const translator = d2lTranslator.load(name); // says what is wrong with the file
    delete globalThis.d2lWeights[name]; // its matrices are made, and it is large
    performance.mark(`${name} is ready`);
    return translator;
  }

  // An address in this page's memory, with all that stands at another one.
  async function fetched(address, tell) {
    const response = await fetch(address);
    if (!response.ok) throw new Error(response.statusText);
    const parts = [], reader = response.body.getReader();
    let bytes = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return URL.createObjectURL(new Blob(parts, { type: "text/javascript; charset=utf-8" }));
      parts.push(value);
      tell(bytes += value.length);
    }
  }

  function make(tag, text = "", properties = {}) {
    return Object.assign(document.createElement(tag), { textContent: text }, properties);
  }

  function largestOf(numbers) {
    return numbers.reduce((best, number, i) => (number > numbers[best] ? i : best), 0);
  }

  class Page {
    constructor(root) {
      this.folder = root.dataset.folder;
      this.run = 0; // counts the sentences, so that a new one ends the one before
      this.form = root.querySelector("form");
      for (const name of ["progress", "says", "result", "source", "target", "looks", "search",
        "hypotheses", "weights"]) this[name] = root.querySelector("." + name);
      this.form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.translate();
      });
      root.querySelector(".share").addEventListener("click", () => this.share());
      this.step = this.search.querySelector("input");
      this.step.addEventListener("input", () => this.showHypotheses());
      addEventListener("hashchange", () => this.open());
      pages.push(this);
      this.form.hidden = false;
      if (!this.open()) this.translate();
    }

    // ---- A sentence in the address: #s=She+has+a+car.&m=fra-eng&b=4 ----------------------------

    share() {
      const { sentence, model, beam } = this.form.elements;
      const asked = new URLSearchParams({ s: sentence.value, m: model.value, b: beam.value });
      history.replaceState(null, "", "#" + asked);
      const here = "The address of this page now holds the sentence: copy it from above.";
      const copied = navigator.clipboard?.writeText(location.href) ?? Promise.reject();
      copied.then(() => this.say("The link is copied."), () => this.say(here));
    }

    // Whether the address holds a sentence; what else is wrong with it is left as it was.
    open() {
      const asked = new URLSearchParams(location.hash.slice(1));
      if (!asked.get("s")) return false;
      const { sentence, model, beam } = this.form.elements;
      sentence.value = asked.get("s");
      for (const [choice, name] of [[model, "m"], [beam, "b"]]) {
        const known = [...choice.options].some((option) => option.value === asked.get(name));
        if (known) choice.value = asked.get(name);
      }
      this.translate();
      return true;
    }

    // ---- Translate, one word at a time ---------------------------------------------------------

    say(text) {
      this.says.textContent = text;
    }

    showProgress() {
      const share = come.get(this.form.elements.model.value);
      if (share === undefined) this.progress.removeAttribute("value"); // it only shows that it goes on
      else this.progress.value = share;
    }

    async translate() {
      const run = ++this.run;
      const { sentence, model, beam } = this.form.elements;
      this.result.hidden = true;
      this.say(`Loading the model ${model.selectedOptions[0].textContent} …`);
      this.progress.hidden = false;
      try {
        const { size } = model.selectedOptions[0].dataset;
        const loading = translatorOf(model.value, this.folder, size);
        this.showProgress();
        const translator = await loading;
        if (run === this.run) await this.write(translator, sentence.value, Number(beam.value), run);
      } catch (error) {
        if (run === this.run) this.fail(error.message);
      }
    }

    fail(message) {
      this.progress.hidden = this.result.hidden = true;
      const loaded = translators.has(this.form.elements.model.value);
      const advice = loaded ? "" : " Try again, or choose the other model.";
      this.say(`This cannot be translated: ${message}.${advice}`);
    }

    async write(translator, text, beam, run) {
      this.translator = translator;
      this.steps = [];
      const steps = translator.steps(text, { beam });
      let step = steps.next(); // an error, such as of an empty sentence, comes here
      this.progress.hidden = true;
      this.say("");
      this.showSource(translator.tokenize(text));
      this.search.hidden = beam === 1;
      while (!step.done) {
        this.steps.push(step.value);
        this.showSteps();
        await new Promise((done) => setTimeout(done, this.pause()));
        if (run !== this.run) return;
        step = steps.next();
      }
      this.finish(step.value);
    }

    pause() {
      return stillness.matches || this.steps.length > LONGEST ? 0 : PAUSE;
    }

    finish({ words, weights, unknown }) {
      this.showTarget(words, weights);
      const french = this.translator.detokenize(this.shown);
      const told = [words.length ? `In French: ${french}` : "The model ends at once, without a word."];
      const names = [...new Set(unknown)].map((word) => `“${word}”`).join(", ");
      if (unknown.length) told.push(`Not in the vocabulary, read as <unk>: ${names}.`);
      const stands = "For each <unk> that it wrote stands the source word with the most weight.";
      if (words.includes("<unk>")) told.push(stands);
      const tooLarge = `The table of weights is left out: it has room for ${LONGEST} words a side.`;
      if (this.weights.hidden && words.length) told.push(tooLarge);
      this.say(told.join(" "));
    }

    // ---- What there is to see ------------------------------------------------------------------

    showSource(words) {
      this.sourceWords = words;
      const elements = words.map((word) => {
        const element = make("span", word, { className: "word" });
        element.classList.toggle("unknown", !this.translator.numbers.has(word));
        element.append(make("small", "0.00", { ariaHidden: "true" }));
        return element;
      });
      this.source.replaceChildren(...elements);
      this.target.replaceChildren();
      this.looks.textContent = "";
      this.result.hidden = false;
    }

    // The step that was computed last: its best hypothesis is what is written so far.
    showSteps() {
      const [best] = this.steps.at(-1);
      this.showTarget(best.words, best.weights);
      this.step.max = this.steps.length; // before its value, which it limits
      this.step.value = this.steps.length;
      this.showHypotheses();
    }

    showHypotheses() {
      this.step.nextElementSibling.textContent = this.step.value;
      const items = this.steps[this.step.value - 1].map(({ words, score, ended }) => {
        const text = this.translator.detokenize(words) + (ended ? " <eos>" : "");
        return make("li", `${text}  (${score.toFixed(2)})`);
      });
      this.hypotheses.replaceChildren(...items);
    }

    // In the place of <unk> stands the source word that was looked at most.
    showTarget(words, weights) {
      this.words = words;
      this.rows = weights;
      this.shown = words.map((word, t) => (
        word === "<unk>" ? this.sourceWords[largestOf(weights[t])] : word));
      while (this.target.children.length > words.length) this.target.lastChild.remove();
      this.shown.forEach((word, t) => {
        const button = this.target.children[t] ?? this.addButton(t);
        button.textContent = word;
        button.classList.toggle("unknown", words[t] === "<unk>");
      });
      this.showWeights();
      if (words.length) this.look(words.length - 1);
    }

    addButton(t) {
      const button = make("button", "", { className: "word", type: "button" });
      for (const event of ["pointerenter", "focus", "click"]) {
        button.addEventListener(event, () => this.look(t));
      }
      this.target.append(button);
      return button;
    }

    // One written word: light up what it looked at.
    look(t) {
      const row = this.rows[t];
      [...this.target.children].forEach((button, i) => (button.ariaPressed = String(i === t)));
      [...this.weights.querySelectorAll("tbody tr")].forEach((line, i) => {
        line.classList.toggle("chosen", i === t);
      });
      [...this.source.children].forEach((word, s) => {
        word.style.setProperty("--weight", row[s]);
        word.querySelector("small").textContent = row[s].toFixed(2);
      });
      const order = [...row.keys()].sort((a, b) => row[b] - row[a]).slice(0, 3);
      const most = order.filter((s, i) => i === 0 || row[s] >= 0.05);
      const seen = most.map((s) => `“${this.sourceWords[s]}” ${row[s].toFixed(2)}`).join(", ");
      this.looks.textContent = `Writing “${this.words[t]}”, it looked at ${seen}.`;
    }

    // The table of all weights: source words across, written words down.
    showWeights() {
      const small = Math.max(this.sourceWords.length, this.words.length) <= LONGEST;
      this.weights.hidden = !small || this.words.length === 0;
      if (this.weights.hidden) return;
      const head = make("tr");
      head.append(make("td"), ...this.sourceWords.map((word) => make("th", word, { scope: "col" })));
      const lines = this.shown.map((word, t) => {
        const line = make("tr");
        line.append(make("th", word, { scope: "row", lang: "fr" }));
        for (const weight of this.rows[t]) {
          const cell = make("td", weight < 0.005 ? "0" : weight.toFixed(2));
          cell.style.setProperty("--weight", weight);
          line.append(cell);
        }
        return line;
      });
      this.weights.querySelector("thead").replaceChildren(head);
      this.weights.querySelector("tbody").replaceChildren(...lines);
    }
  }

  return (root) => new Page(root);
})();
