// One step of one decoder: its weights are looked up, nothing is translated here.
(values, { source, target, weights, gold }) => {
  const step = values.step - 1;
  const row = weights[values.decoder ?? Object.keys(weights)[0]][step];
  const top = Math.max(...row);
  const found = { step, word: target[step], top, best: source[row.indexOf(top)] };
  found.mass = gold[step].reduce((sum, s) => sum + row[s], 0);
  let before = 0;
  row.forEach((weight, s) => {
    found["end" + s] = step + (before + weight / 2 - 0.5) / 2; // side by side, half a row together
    before += weight;
    found["w" + s] = weight;
    found["seen" + s] = weight >= 0.005 ? 1 : 0;
    found["frame" + s] = values.gold && gold[step].includes(s) ? 1 : 0;
  });
  target.forEach((_, t) => (found["read" + t] = t <= step ? 1 : 0.65));
  return found;
}
