// The weights are recorded: choose a head's grid, and in it a word's row.
({ block = 1, head, word }, { source, target, heads, weights }) => {
  const grid = weights[(block - 1) * heads + head - 1];
  const row = grid[word - 1];
  const found = { block, head, word, name: `${block}.${head}`, asks: target[word - 1] };
  found.top = Math.max(...row);
  found.best = source[row.indexOf(found.top)];
  row.forEach((weight, s) => {
    found["row" + s] = weight;
    found["ink" + s] = 0.65 + 0.35 * weight;
    found["told" + s] = weight >= 0.01 ? 1 : 0;
  });
  grid.forEach((weights, t) => {
    weights.forEach((weight, s) => (found[`w${t}_${s}`] = weight));
  });
  return found;
}
