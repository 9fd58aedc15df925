"""Beam search, a step at a time: the tree of its hypotheses, and the one that wins."""

from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from typing import Any, NamedTuple

import torch
from torch import Tensor

from d2l_lite.decoding import Search, driven, encode_source, evaluating
from d2l_lite.figures.figure import Control, Figure, Value
from d2l_lite.seq2seq import EncoderDecoder
from d2l_lite.vocab import EOS, detokenize

WIDEST, LONGEST = 4, 10  # what a picture has room for: hypotheses, steps
ACROSS, DOWN = 77, 56  # from one node to the next


class Node(NamedTuple):
    """A way to go on that the search has looked at, and the hypothesis that ends there."""

    step: int  # from 1 on; the root has 0
    place: int  # among the ways of its step, the most probable first
    parent: int  # the number of the node that it continues, or -1
    words: tuple[str, ...]  # from the root to here; `<eos>` is one
    total: float  # the sum of their log-probabilities, in nats
    state: str  # "open": the search goes on from it, "done": a translation, or "dropped"


def beam_search(
    model: EncoderDecoder, sentence: str, beam: int = 3, max_len: int | None = None
) -> Figure:
    """A figure of how `translate` finds its translation of one short sentence.

    Args:
        model: with both vocabularies; it is left in the mode that it was in.
        beam: how many hypotheses are kept at each step, 1 to 4.
        max_len: stop after this many words; as in `translate`.

    Raises:
        ValueError: a beam of another width, a model or a sentence that `translate` would not
            take, or a search of more than 10 steps.
    """
    if not 1 <= beam <= WIDEST:
        raise ValueError(f"beam must be within 1 and {WIDEST}, not {beam}")
    if max_len is not None and max_len < 1:
        raise ValueError(f"max_len must be at least 1, not {max_len}")
    nodes, best = search_tree(model, sentence, beam, max_len)
    if (last := nodes[-1].step) > LONGEST:
        raise ValueError(
            f"this search takes {last} steps and the picture holds {LONGEST}: "
            "give a shorter sentence or a smaller max_len"
        )
    data = {"nodes": [_told(node) for node in nodes], "best": best, "last": last}
    return Figure(
        name="beam_search",
        alt="A tree that grows downwards by a row a step. Each node is a word and a score. What "
        "the search keeps is framed, what it drops is pale.",
        controls=(
            Control("step", "step", min(2, last), 1, last, 1),
            Control("score", "score of a node", "mean", options=("mean", "sum")),
        ),
        svg=_draw(nodes, 2 * beam),
        says="Step {step:0} of {last:0}. Kept: {kept}. Finished: {done}. {chosen}",
        compute=partial(_compute, data),
        data=data,
    )


class _Watched(Search):
    """The search itself, which remembers what it has looked at."""

    def __init__(self, *args: Any):
        super().__init__(*args)
        self.looked_at: list[tuple[Tensor, ...]] = []

    def ways_on(self, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        ways = super().ways_on(logits)
        self.looked_at.append(tuple(part[0].cpu() for part in ways))  # of the one sentence
        return ways


def search_tree(
    model: EncoderDecoder, sentence: str, beam: int, max_len: int | None = None
) -> tuple[list[Node], int]:
    """All nodes of the search for one sentence, step by step, and the number of the winner's."""
    search = _Watched(model, driven(model.decoder, beam), beam)
    with evaluating(model):
        winner = search.run([encode_source(model, sentence)], max_len)[0]
    nodes, rows = [Node(0, 0, -1, (), 0.0, "open")], [0]
    for step, ways in enumerate(search.looked_at, 1):
        states = _states(ways, beam, at_limit=step == search.limits[0])
        first = len(nodes)
        for place, (total, row, word) in enumerate(zip(*(x.tolist() for x in ways), strict=True)):
            if total > -torch.inf:  # else a copy that was not allowed to grow
                words = (*nodes[rows[row]].words, model.tgt_vocab.words[word])
                nodes.append(Node(step, place, rows[row], words, total, states[place]))
        rows = [i for i in range(first, len(nodes)) if nodes[i].state == "open"]
    words = tuple(model.tgt_vocab.decode(winner.words))
    endings = {words, (*words, model.tgt_vocab.words[EOS])}
    won = [i for i, node in enumerate(nodes) if node.state == "done" and node.words in endings]
    return nodes, max(won, key=lambda i: nodes[i].total / nodes[i].step)


def _states(ways: Sequence[Tensor], beam: int, at_limit: bool) -> list[str]:
    """What becomes of the 2K ways: translations among the first K, and K to go on with."""
    states, kept = [], 0
    for place, word in enumerate(ways[2].tolist()):
        if word == EOS:
            states.append("done" if place < beam else "dropped")
        elif kept < beam:
            states.append("done" if at_limit else "open")
            kept += 1
        else:
            states.append("dropped")
    return states


def _told(node: Node) -> dict[str, Any]:
    """What the page is told of a node."""
    mean = node.total / max(node.step, 1)
    text = detokenize(word for word in node.words if word != "<eos>")
    scores = {"sum": round(node.total, 2), "mean": round(mean, 2)}  # as they are shown
    return {"step": node.step, "parent": node.parent, "state": node.state, "text": text} | scores


def _compute(data: Mapping[str, Any], values: Mapping[str, Value]) -> dict[str, Value]:
    step, nodes = values["step"], data["nodes"]
    over = step == data["last"]
    kept = [i for i, n in enumerate(nodes) if n["step"] == step and n["state"] == "open"]
    kept = [] if over else kept  # they lead nowhere
    done = [i for i, n in enumerate(nodes) if n["step"] <= step and n["state"] == "done"]
    alive = _with_parents(nodes, done + kept)
    winners = _with_parents(nodes, [data["best"]] if over else [])

    def look(i: int) -> str:
        if nodes[i]["step"] > step:
            return "later"
        if i in winners:
            return "best"
        if nodes[i]["state"] != "open":
            return nodes[i]["state"]  # done, dropped
        return "kept" if i in alive else "lost"

    quoted = [f"“{node['text']}”" for node in nodes]
    found = {"step": step, "last": data["last"]}
    found["kept"] = ", ".join(quoted[i] for i in kept) or "none"
    found["done"] = ", ".join(quoted[i] for i in done) or "none"
    found["chosen"] = f"The highest mean has {quoted[data['best']]}" if over else ""
    for i, node in enumerate(nodes):
        found |= {f"look{i}": look(i), f"score{i}": node[values["score"]]}
    return found


def _with_parents(nodes: Sequence[Mapping[str, Any]], chosen: Sequence[int]) -> set[int]:
    """The numbers of these nodes and of all that lead to them."""
    reached: set[int] = set()
    for i in chosen:
        while i >= 0:
            reached.add(i)
            i = nodes[i]["parent"]
    return reached


def _draw(nodes: Sequence[Node], columns: int) -> str:
    """A row for each step, the most probable way at the left; below `<bos>`, above the middle."""
    width, height = 24 + ACROSS * columns, DOWN * (nodes[-1].step + 1)
    steps = "".join(
        f'<text x="8" y="{DOWN * step + 25}">{step}</text>' for step in range(1, nodes[-1].step + 1)
    )
    drawn = "".join(_draw_node(i, nodes, columns) for i in range(len(nodes)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
        f"{steps}{drawn}</svg>"
    )


def _middle(node: Node, columns: int) -> float:
    place = node.place if node.parent >= 0 else (columns - 1) / 2
    return 24 + ACROSS * (place + 0.5)


def _draw_node(i: int, nodes: Sequence[Node], columns: int) -> str:
    node = nodes[i]
    x, y = _middle(node, columns), DOWN * node.step + 4
    edge = score = ""
    if node.parent >= 0:
        above = _middle(nodes[node.parent], columns)
        edge = f'<path d="M{above:g} {y - DOWN + 37}C{above:g} {y - 8} {x:g} {y - 14} {x:g} {y}"/>'
        score = f'<text x="{x:g}" y="{y + 32}" data-set-text="{{score{i}:2}}"/>'
    word = node.words[-1] if node.words else "<bos>"
    fit = ' textLength="68" lengthAdjust="spacingAndGlyphs"' if len(word) > 9 else ""
    return (
        f'<g data-set-class="node {{look{i}}}">{edge}'
        f'<rect x="{x - 36:g}" y="{y}" width="72" height="37" rx="6"/>'
        f'<text x="{x:g}" y="{y + (15 if score else 23)}"{fit}>{escape(word)}</text>{score}</g>'
    )
