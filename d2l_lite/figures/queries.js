// One query, four keys: the scores and weights by each function, and the context by the chosen one.
(values, { keys, winds, functions, W, W_q, W_k, v }) => {
  const query = [values.qx, values.qy];
  const bent = values.tanh !== false;
  const bend = bent ? Math.tanh : (x) => x;
  const dot = (a, b) => a.reduce((sum, number, i) => sum + number * b[i], 0);
  const times = (matrix, vector) => matrix.map((row) => dot(row, vector));
  const score = {
    dot: (key) => dot(query, key),
    "scaled dot": (key) => dot(query, key) / Math.sqrt(2),
    bilinear: (key) => dot(query, times(W, key)),
    additive: (key) => {
      const [projected, shift] = [times(W_k, key), times(W_q, query)];
      return dot(v[0], projected.map((number, h) => bend(number + shift[h])));
    },
  };
  const chosen = values.function ?? functions[0];
  const found = { qx: values.qx, qy: values.qy };
  found.bend = bent ? "v · tanh(q + k)" : "v · (q + k)";
  functions.forEach((name, f) => {
    const scores = keys.map(score[name]);
    const powers = scores.map(Math.exp);
    const total = powers.reduce((a, b) => a + b);
    const weights = powers.map((power) => power / total);
    found["chosen" + f] = name === chosen ? 1 : 0;
    scores.forEach((a, i) => (found[`a${f}${i}`] = a));
    weights.forEach((b, i) => (found[`b${f}${i}`] = b));
    if (name !== chosen) return;
    found.by = name === "additive" && !bent ? "additive without tanh" : name;
    weights.forEach((b, i) => (found["b" + i] = b));
    [found.cx, found.cy] = [0, 1].map((axis) => dot(weights, winds.map((wind) => wind[axis])));
  });
  return found;
}
