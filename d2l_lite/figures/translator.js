// The translator that runs in your browser: the LSTMs with attention of the decoder's chapter in
// plain JavaScript. What torch did in the notebooks is written out as loops over arrays.
//
//   const translator = d2lTranslator.load("mini");       // "mini.js", a <script>, has run before
//   translator.translate("The bird sleeps.").text
//   for (const [hypothesis] of translator.steps("The bird sleeps.")) { ... }     // word by word
//
// `python -m d2l_lite export RUN mini.js` writes the weights. A vector is a Float32Array; a matrix
// is {rows, columns, values}, its rows one after the other in `values`.

var d2lTranslator = (() => {
  "use strict";

  const FORMAT = 1; // of the files that it reads
  const [PAD, BOS, EOS, UNK] = [0, 1, 2, 3]; // the first four words of every vocabulary
  const DIGITS =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";

  // ---- From a file to matrices ---------------------------------------------------------------

  function load(name) {
    const file = globalThis.d2lWeights?.[name];
    const fail = (what) => { throw new Error(`the weights "${name}" ${what}`); };
    if (!file) fail("are not there: their file is missing, or cut short");
    if (checksumOf(JSON.stringify(file.content)) !== file.checksum) fail("are damaged");
    if (file.content.format !== FORMAT) fail(`have format ${file.content.format}, not ${FORMAT}`);
    return new Translator(file.content);
  }

  // Adler-32, as in zlib: two sums that no change of a single byte leaves as they were. Their
  // remainders are slow to take; over 4096 bytes the sums stay exact without them.
  function checksumOf(text) {
    const bytes = new TextEncoder().encode(text);
    let a = 1, b = 0;
    for (let start = 0; start < bytes.length; start += 4096) {
      for (const byte of bytes.subarray(start, start + 4096)) b += a += byte;
      a %= 65521;
      b %= 65521;
    }
    return b * 65536 + a;
  }

  // Base 85: five letters are the five digits of a number below 2^32, and that is four bytes.
  function bytesOf(text) {
    const digits = new Uint8Array(128);
    for (let i = 0; i < 85; i++) digits[DIGITS.charCodeAt(i)] = i;
    const bytes = new DataView(new ArrayBuffer(text.length / 5 * 4));
    for (let i = 0, place = 0; i < text.length; place += 4) {
      let number = 0;
      for (const end = i + 5; i < end; i++) number = 85 * number + digits[text.charCodeAt(i)];
      bytes.setUint32(place, number);
    }
    return bytes.buffer;
  }

  // All matrices, by their names in torch. In "int8" a row is a scale times whole numbers.
  function matricesOf({ parameters, weights }) {
    const bytes = bytesOf(weights);
    let start = 0;
    function next(Type, length) {
      const numbers = new Type(bytes, start, length);
      start += 4 * Math.ceil(numbers.byteLength / 4); // every array begins at a whole four
      return numbers;
    }
    const readers = {
      float32: (size) => next(Float32Array, size),
      float16: (size) => Float32Array.from(next(Uint16Array, size), float16),
      int8: (size, rows) => {
        const scales = next(Float32Array, rows), steps = next(Int8Array, size);
        const values = new Float32Array(size);
        for (let i = 0; i < size; i++) values[i] = scales[Math.floor(i / (size / rows))] * steps[i];
        return values;
      },
    };
    return Object.fromEntries(parameters.map(([name, rows, columns, precision]) =>
      [name, { rows, columns, values: readers[precision](rows * columns, rows) }]));
  }

  // Sixteen bits are a sign, five bits of exponent, and ten of fraction.
  function float16(bits) {
    const exponent = (bits >> 10) & 31, fraction = bits & 1023;
    const size = exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction;
    return bits >> 15 ? -size : size;
  }

  // ---- Vectors and matrices ------------------------------------------------------------------

  const sigmoid = (x) => 1 / (1 + Math.exp(-x));

  function concat(a, b) {
    const both = new Float32Array(a.length + b.length);
    both.set(a);
    both.set(b, a.length);
    return both;
  }

  function rowOf({ values, columns }, i) {
    return values.subarray(i * columns, (i + 1) * columns);
  }

  function dot(a, b) {
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
    return sum;
  }

  // W x + bias: one multiplication for each number of W. Nearly all the time goes here.
  function linear({ rows, columns, values }, x, bias) {
    const y = new Float32Array(rows);
    for (let i = 0, place = 0; i < rows; i++) {
      let sum = bias ? bias.values[i] : 0;
      for (let j = 0; j < columns; j++) sum += values[place++] * x[j];
      y[i] = sum;
    }
    return y;
  }

  // The logarithm of the softmax. The largest score is taken off first: exp must stay finite.
  function logSoftmax(scores) {
    let largest = -Infinity, sum = 0;
    for (const score of scores) largest = Math.max(largest, score);
    for (const score of scores) sum += Math.exp(score - largest);
    const logSum = largest + Math.log(sum);
    return scores.map((score) => score - logSum);
  }

  // The places of the `count` largest numbers, the largest first.
  function largestOf(numbers, count) {
    const best = [];
    for (let i = 0; i < numbers.length; i++) {
      if (best.length === count && numbers[i] <= numbers[best[count - 1]]) continue;
      const place = best.findIndex((other) => numbers[i] > numbers[other]);
      best.splice(place < 0 ? best.length : place, 0, i);
      if (best.length > count) best.pop();
    }
    return best;
  }

  class Translator {
    constructor(content) {
      const { patterns, sourceWords } = content;
      const whole = (pattern) => new RegExp(`^(?:${pattern})$`, "v");
      Object.assign(this, content.sizes); // num_layers, bidirectional, attention, query
      this.maxWords = content.maxWords;
      this.targetWords = content.targetWords;
      this.numbers = new Map(sourceWords.map((word, number) => [word, number]));
      this.matrices = matricesOf(content);
      this.token = new RegExp(patterns.token, "gv");
      this.before = whole(patterns.noSpaceBefore);
      this.after = whole(patterns.noSpaceAfter);
      this.ideographs = whole(patterns.ideographs);
    }

    // ---- Words: the rules of vocab.py --------------------------------------------------------

    tokenize(text) {
      return text.toLowerCase().normalize("NFC").replaceAll("\u2019", "'").match(this.token) ?? [];
    }

    detokenize(words) {
      const gap = (i) => (i === 0 || this.isGlued(words[i - 1], words[i]) ? "" : " ");
      return words.map((word, i) => gap(i) + word).join("");
    }

    // No space stands between two words where a reader expects none and `tokenize` can undo it.
    // A clitic is one only after a letter, and an elision only before one: hence the b and the a.
    isGlued(left, right) {
      const two = left + right;
      if (!(this.before.test(right) || this.after.test(left) || this.ideographs.test(two))) {
        return false;
      }
      const b = /^[\p{L}\p{N}]/u.test(left) && left !== "n't" ? "" : "b";
      const words = this.tokenize(b + two + (right.endsWith("'") ? "a" : "")).slice(b.length);
      return words[0] === left && words[1] === right;
    }

    // ---- The model ---------------------------------------------------------------------------

    // One step of an LSTM: it reads x in the state that it is in, and gives its next state.
    lstm(name, x, state) {
      const matrix = (what) => this.matrices[name.replace("*", what)];
      const gates = linear(matrix("weight_ih"), x, matrix("bias_ih"));
      const more = linear(matrix("weight_hh"), state.hidden, matrix("bias_hh"));
      more.forEach((number, i) => (gates[i] += number));
      const size = state.hidden.length;
      const hidden = new Float32Array(size), cell = new Float32Array(size);
      for (let i = 0; i < size; i++) { // the four lie one after the other
        const input = sigmoid(gates[i]), forget = sigmoid(gates[size + i]);
        const candidate = Math.tanh(gates[2 * size + i]), output = sigmoid(gates[3 * size + i]);
        cell[i] = forget * state.cell[i] + input * candidate;
        hidden[i] = output * Math.tanh(cell[i]);
      }
      return { hidden, cell };
    }

    // The states of an LSTM after each of its inputs; it begins with zeros.
    statesOf(name, inputs) {
      const size = this.matrices[name.replace("*", "weight_hh")].columns;
      let state = { hidden: new Float32Array(size), cell: new Float32Array(size) };
      return inputs.map((x) => (state = this.lstm(name, x, state)));
    }

    // Read the source. The encoder's outputs are the values; the keys are what is compared with
    // the query; the decoder starts from the last states. Two directions are read side by side.
    encode(numbers) {
      const { matrices } = this;
      const join = (a, b) => (
        { hidden: concat(a.hidden, b.hidden), cell: concat(a.cell, b.cell) });
      let values = numbers.map((number) => rowOf(matrices["encoder.embedding.weight"], number));
      const start = [];
      for (let layer = 0; layer < this.num_layers; layer++) {
        let states = this.statesOf(`encoder.rnn.*_l${layer}`, values);
        start[layer] = states[states.length - 1];
        if (this.bidirectional) { // the second direction ends at the first word
          const reversed = [...values].reverse();
          const back = this.statesOf(`encoder.rnn.*_l${layer}_reverse`, reversed).reverse();
          start[layer] = join(start[layer], back[0]);
          states = states.map((state, s) => join(state, back[s]));
        }
        values = states.map((state) => state.hidden);
      }
      const W = matrices["decoder.attention.W_k.weight"] ?? matrices["decoder.attention.W.weight"];
      return { values, keys: W ? values.map((value) => linear(W, value)) : values, start };
    }

    // How well each key fits the query: the formula that the model was trained with.
    scores(query, keys) {
      if (this.attention === "additive") { // v · tanh(W_q q + W_k k)
        const projected = linear(this.matrices["decoder.attention.W_q.weight"], query);
        const v = this.matrices["decoder.attention.v.weight"].values;
        return keys.map((key) => dot(v, key.map((number, i) => Math.tanh(projected[i] + number))));
      }
      const scale = this.attention === "scaled-dot" ? Math.sqrt(query.length) : 1;
      return keys.map((key) => dot(query, key) / scale); // q · k; for "bilinear" W is in the keys
    }

    // Scores → weights → context. A sentence alone has no padding, so no score is masked here.
    attend(query, { keys, values }) {
      const weights = logSoftmax(Float32Array.from(this.scores(query, keys))).map(Math.exp);
      const context = new Float32Array(values[0].length);
      values.forEach((value, s) => value.forEach((x, i) => (context[i] += weights[s] * x)));
      return { weights, context };
    }

    // Read one target word: the log-probabilities of the next, the weights, the states after it.
    decode(word, states, source) {
      const { matrices } = this;
      const embedding = matrices["decoder.embedding.weight"];
      const early = this.query === "before" && this.attend(states.at(-1).hidden, source);
      let x = rowOf(embedding, word);
      if (early) x = concat(early.context, x);
      states = states.map((state, layer) => {
        const next = this.lstm(`decoder.rnn.*_l${layer}`, x, state);
        x = next.hidden; // what the layer above reads
        return next;
      });
      const { weights, context } = early || this.attend(x, source);
      const readout = matrices["decoder.readout.0.weight"];
      const bias = matrices["decoder.readout.0.bias"];
      if (readout) x = linear(readout, concat(x, context), bias).map(Math.tanh);
      // A tied model scores words with the same vectors that it reads.
      const output = matrices["decoder.output.weight"] ?? embedding;
      const logs = logSoftmax(linear(output, x, matrices["decoder.output.bias"]));
      logs[PAD] = logs[BOS] = -Infinity; // these are never written
      return { logs, states, weights };
    }

    // ---- Search, as in decoding.py -----------------------------------------------------------

    // Beam search; greedy search is a beam of 1. Every step writes a word and gives the hypotheses
    // that it keeps, the most probable first. Of each a page can show: words; weights, a row for
    // each word; score, the mean log-probability of a word; ended, whether <eos> was written;
    // parent, its place among the hypotheses of the step before; candidates, the most probable
    // words there. At the end `steps` returns what `translate` does.
    *steps(text, { beam = 1, maxLen } = {}) {
      const sourceWords = this.tokenize(text);
      const limit = maxLen ?? 2 * sourceWords.length + 10;
      this.check(text, sourceWords.length, { beam, maxLen: limit });
      const source = this.encode(sourceWords.map((word) => this.numbers.get(word) ?? UNK));
      let open = [{ word: BOS, words: [], weights: [], total: 0, states: source.start, place: 0 }];
      const finished = [];
      for (let length = 1; open.length > 0 && length <= limit; length++) {
        const next = open.flatMap((hypothesis) => this.continued(hypothesis, source, 2 * beam));
        const best = next.sort((a, b) => b.total - a.total).slice(0, 2 * beam);
        // Of 2K continuations at most K end the sentence: K are left to go on with.
        open = best.filter(({ ended }) => !ended).slice(0, beam);
        const ended = best.slice(0, beam).filter(({ ended }) => ended);
        finished.push(...ended, ...(length === limit ? open : []));
        if (length < limit && finished.length >= beam) open = []; // the search is over
        const kept = [...ended, ...open].sort((a, b) => b.total - a.total);
        kept.forEach((hypothesis, place) => (hypothesis.place = place));
        yield kept;
      }
      const { words, weights, score } = finished.reduce((a, b) => (b.score > a.score ? b : a));
      const unknown = sourceWords.filter((word) => !this.numbers.has(word));
      return { sourceWords, words, text: this.detokenize(words), weights, score, unknown };
    }

    // The `count` best ways to go on from a hypothesis.
    continued(from, source, count) {
      const { logs, states, weights } = this.decode(from.word, from.states, source);
      const best = largestOf(logs, Math.max(count, 5)).filter((word) => logs[word] > -Infinity);
      const candidates = best.slice(0, 5).map((word) => (
        { word: this.targetWords[word], probability: Math.exp(logs[word]) }));
      return best.slice(0, count).map((word) => {
        const ended = word === EOS; // which is no word of the translation, but counts for its score
        const total = from.total + logs[word];
        return {
          word, states, total, ended, candidates, parent: from.place,
          score: total / (from.words.length + 1),
          words: ended ? from.words : [...from.words, this.targetWords[word]],
          weights: ended ? from.weights : [...from.weights, weights],
        };
      });
    }

    check(text, length, counts) {
      for (const [name, count] of Object.entries(counts)) {
        if (!(Number.isInteger(count) && count >= 1)) {
          throw new Error(`${name} must be a whole number of at least 1, not ${count}`);
        }
      }
      if (length === 0) throw new Error(`the sentence "${text}" has no word in it`);
      if (length > this.maxWords) {
        throw new Error(`a sentence of ${length} words; the longest taken has ${this.maxWords}`);
      }
    }

    // {sourceWords, words, text, weights, score, unknown}: `unknown` are the source words that are
    // read as <unk>. Where <unk> was written, its row of weights tells which word was looked at.
    translate(text, options) {
      const steps = this.steps(text, options);
      let step = steps.next();
      while (!step.done) step = steps.next();
      return step.value;
    }
  }

  return { load };
})();
