// The search is over and recorded in `nodes`; what is left is to say how they look at a step.
({ step, score }, { nodes, best, last }) => {
  const withParents = (chosen) => {
    const reached = new Set();
    for (let i of chosen) for (; i >= 0; i = nodes[i].parent) reached.add(i);
    return reached;
  };
  const numbers = (test) => nodes.flatMap((node, i) => (test(node) ? [i] : []));
  const over = step === last;
  const kept = over ? [] : numbers((node) => node.step === step && node.state === "open");
  const done = numbers((node) => node.step <= step && node.state === "done");
  const alive = withParents([...done, ...kept]);
  const winners = withParents(over ? [best] : []);

  const look = ({ step: its, state }, i) => {
    if (its > step) return "later";
    if (winners.has(i)) return "best";
    if (state !== "open") return state; // done, dropped
    return alive.has(i) ? "kept" : "lost";
  };
  const quoted = (group) => group.map((i) => `“${nodes[i].text}”`).join(", ") || "none";
  const found = { step, last, kept: quoted(kept), done: quoted(done) };
  found.chosen = over ? `The highest mean has ${quoted([best])}` : "";
  nodes.forEach((node, i) => {
    found["look" + i] = look(node, i);
    found["score" + i] = node[score];
  });
  return found;
}
