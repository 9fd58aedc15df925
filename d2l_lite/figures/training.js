// One epoch of a training that is over: its losses and weights are looked up.
(values, { first, losses, places, weights, translations }) => {
  const at = values.epoch - first;
  const found = { epoch: values.epoch };
  for (const name of ["train", "valid"]) {
    const known = losses[name][at] !== null;
    found[name] = known ? losses[name][at] : "not measured";
    found[name + "_seen"] = known ? 1 : 0;
    found[name + "_y"] = known ? places[name][at] : 0;
  }
  if (translations) found.writes = translations[at];
  weights[at].forEach((row, t) => row.forEach((weight, s) => (found[`w${t}_${s}`] = weight)));
  return found;
}
