// From the output downwards: each position that is reached reaches a window in the layer below.
({ position, layers, kernel, padding }, { words, deepest }) => {
  const before = padding === "causal" ? kernel - 1 : (kernel - 1) / 2;
  let ways = words.map((_, s) => (s === position - 1 ? 1 : 0));
  const rows = [ways]; // the words first
  for (let depth = layers; depth > 0; depth--) {
    const below = words.map(() => 0);
    ways.forEach((count, s) => {
      for (let t = s - before; t < s - before + kernel; t++) {
        if (t in below) below[t] += count; // else it is padding
      }
    });
    rows.unshift((ways = below));
  }

  const seen = ways.flatMap((count, s) => (count ? [s] : []));
  const found = { position, layers, kernel, seen: seen.length, room: layers * (kernel - 1) + 1 };
  found.word = words[position - 1];
  found.first = words[seen[0]];
  found.last = words[seen.at(-1)];
  for (let depth = 0; depth <= deepest; depth++) {
    const row = rows[depth] ?? words.map(() => 0);
    const largest = Math.max(...row);
    found["there" + depth] = depth <= layers ? 1 : 0;
    found["low" + depth] = largest ? row.findIndex((count) => count > 0) : position - 1;
    found["high" + depth] = largest ? row.findLastIndex((count) => count > 0) : position - 1;
    row.forEach((count, s) => (found[`lit${depth}_${s}`] = count && 0.3 + (0.7 * count) / largest));
  }
  ways.forEach((count, s) => {
    found["ways" + s] = count >= 1000 ? Math.floor(count / 1000) + "k" : String(count || "");
    found["ink" + s] = count ? 1 : 0.65;
  });
  return found;
}
