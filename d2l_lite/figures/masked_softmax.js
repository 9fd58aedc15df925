// The masked softmax: hidden scores get no weight, the others share 1.
(values, { words }) => {
  const scores = words.map((_, i) => values["score" + i] / values.temperature);
  const seen = scores.slice(0, values.valid);
  const largest = Math.max(...seen);
  const powers = scores.map((score, i) => (i < values.valid ? Math.exp(score - largest) : 0));
  const total = powers.reduce((a, b) => a + b, 0);
  const weights = powers.map((power) => (total ? power / total : 0));
  const best = weights.indexOf(Math.max(...weights));
  const found = { ...values, top: weights[best] };
  found.word = values.valid ? words[best] : "no word";
  found.sum = weights.reduce((a, b) => a + b, 0);
  weights.forEach((weight, i) => {
    found["w" + i] = weight;
    found["seen" + i] = i < values.valid ? 1 : 0.4;
  });
  return found;
}
