"""The drawings of models: encoder, decoders without and with attention, steps and layers."""

from parts import (
    CONTEXT_Y,
    OUT_Y,
    READS_Y,
    SCORES,
    SOURCE,
    START,
    STEPS,
    TARGET,
    WRITES_Y,
    decode,
    encode,
    indexed,
    row,
    softmax,
    spread,
)
from pen import Drawing


def encoder():
    d = Drawing(
        282,
        "The encoder",
        "Four words x1 to x4 go into four encoder states h1 to h4, each of which also gets the "
        "state before it. A solid arrow leads from h4 to the context c. Dotted lines from all "
        "other states to c: it may be any function of all states.",
    )
    states = encode(d, (48, 136, 224, 312), (*SOURCE, "."))
    c = d.vector(312, 186, "*c*", "context")
    d.arrow(states[-1].bottom, c.top, role="context")
    d.arrow(states[0].bottom, (states[0].x, c.y), c.left, role="hint")
    for state in states[1:-1]:
        d.line([state.bottom, (state.x, c.y)], role="hint")
    d.line([(20, 230), (52, 230)], role="context")
    d.text(64, 230, "the last state:  *c* = *h*_{4}", anchor="start")
    d.line([(20, 258), (52, 258)], role="hint")
    d.text(64, 258, "or any function of all states", anchor="start")
    return d


def fixed_context(height, title, words):
    """Encoder, c made of its last state, and a decoder, not yet joined to it."""
    d = Drawing(height, title, words)
    states = encode(d, STEPS, SOURCE)
    d.note(14, READS_Y, "encoder")
    c = d.vector(START, CONTEXT_Y, "*c*", "context")
    d.arrow(states[-1].bottom, (STEPS[-1], 146), (c.x, 146), c.top, role="context")
    writers = decode(d, STEPS, TARGET, WRITES_Y, OUT_Y)
    d.note(14, OUT_Y + 28, "decoder")
    row(d.text, STEPS, OUT_Y + 28, indexed("/y/"))
    d.arrow(c.bottom, (c.x, WRITES_Y), writers[0].left, role="context")
    return d, c, writers


def decoder_start():
    d, _, _ = fixed_context(
        386,
        "A decoder that starts from c",
        "Three words go into encoder states h1 to h3. The last one becomes c, and c is where the "
        "decoder starts: one arrow leads from it to s1. From there the states s1 to s3 follow "
        "each other; each writes a word, which the next one reads. Nothing else comes from the "
        "source.",
    )
    d.note(64, CONTEXT_Y, "read once, before the first word")
    return d


def decoder_every_step():
    d, c, writers = fixed_context(
        386,
        "A decoder that reads the same c at every step",
        "As before, the encoder's last state becomes c and the decoder starts from it. But here "
        "arrows lead from c to each of the decoder states s1, s2 and s3.",
    )
    for state in writers:
        d.arrow(c.right, (state.x, c.y), state.top, role="context")
    d.note(70, CONTEXT_Y - 18, "the same *c* at every step")
    return d


def decoder_attention():
    d = Drawing(
        386,
        "A decoder with a context for each step",
        "Encoder states h1 to h3 above, contexts c1 to c3 in the middle, decoder states s1 to s3 "
        "below, one context for each. Lines of different width, the weights, lead from all "
        "encoder states to each context. The decoder starts from s0, the encoder's last state.",
    )
    readers = encode(d, STEPS, SOURCE)
    d.note(14, READS_Y, "encoder")
    contexts = row(d.vector, STEPS, CONTEXT_Y, indexed("*c*"), "context")
    for context, scores in zip(contexts, SCORES, strict=True):
        for reader, weight in zip(readers, softmax(scores), strict=True):
            d.link(reader.bottom, context.top, weight)
    writers = decode(d, STEPS, TARGET, WRITES_Y, OUT_Y)
    for context, state in zip(contexts, writers, strict=True):
        d.arrow(context.bottom, state.top, role="context")
    start = d.state(START, WRITES_Y, "*s*_{0}", "query")
    d.arrow(start.right, writers[0].left)
    d.text(start.x, WRITES_Y - 32, "*s*_{0} = *h*_{3}")
    d.note(14, OUT_Y + 28, "decoder")
    row(d.text, STEPS, OUT_Y + 28, indexed("/y/"))
    return d


def attention_seq2seq():
    d = Drawing(
        428,
        "A sequence-to-sequence model with attention",
        "The words it, is, cold go into encoder states h1 to h3. All of them go as keys and as "
        "values into the attention layer. For each decoder step, the state before it goes there "
        "as the query, and a context comes back and goes into the step's state. The decoder "
        "starts from s0, the encoder's last state, reads <bos>, il, fait, froid and writes il, "
        "fait, froid, <eos>.",
    )
    readers = encode(d, (70, 180, 290), SOURCE)
    attention = d.layer(14, 346, 172, "attention")
    bring_keys_and_values(d, readers, attention)
    xs = (104, 174, 244, 314)
    writers = decode(d, xs, (*TARGET, "<eos>"), 316, 400)
    start = d.state(34, 316, "*s*_{0}", "query")
    d.arrow(start.right, writers[0].left)
    contexts = row(d.vector, xs, 240, indexed("*c*", 4), "context")
    for before, context, state in zip([start, *writers], contexts, writers, strict=False):
        d.arrow((context.x, attention.bottom[1]), context.top, role="context")
        d.arrow(context.bottom, state.top, role="context")
        x = before.x + 35
        d.arrow(before.at(0.7, -0.7), (x, 286), (x, attention.bottom[1]), role="query")
    d.note(60, 240, "query", "end")
    d.text(34, 349, "*s*_{0} = *h*_{3}")
    return d


def bring_keys_and_values(d, states, attention):
    """Every state goes into the attention layer twice."""
    for state in states:
        for side, role in ((-0.4, "key"), (0.4, "value")):
            x, y = state.at(side, 0.92)
            d.arrow((x, y + 1), (x, attention.top[1]), role=role)
    d.note(54, 137, "keys", "end")
    d.note(86, 137, "values")


def second_step():
    d = Drawing(
        616,
        "The second step of the decoder",
        "Known are the encoder's outputs h1 to h3, (B, S, H), and from step 1 the state s1, "
        "(B, 1, H), and the word il, (B, 1). Attention takes s1 as query and the outputs as keys "
        "and values; its weights are (B, 1, S), the context c2 is (B, 1, H). Beside it stands the "
        "embedded word, (B, 1, E). Both go into the LSTM, (B, 1, H + E), with the old state s1. "
        "Its new state s2, (B, 1, H), goes through the output layer to logits (B, 1, V), and the "
        "word with the largest is fait.",
    )
    known_before_step_two(d)
    attention = d.layer(14, 240, 176, "attention", "weights (B, 1, S)")
    embedding = d.layer(252, 352, 176, "embedding")
    for x, name, role in ((64, "keys", "key"), (112, "values", "value"), (200, "query", "query")):
        d.arrow((x, 106), (x, attention.top[1]), role=role)
        d.note(x + 9, 127, name)
    d.arrow((302, 106), embedding.top)
    context = d.vector(46, 240, "*c*_{2}", "context")
    d.arrow((46, attention.bottom[1]), context.top, role="context")
    d.text(70, 240, "[(B, 1, H)]", anchor="start")
    word = d.vector(302, 240, "*e*", "query")
    d.arrow(embedding.bottom, word.top)
    d.text(278, 240, "[(B, 1, E)]", anchor="end")
    joined = d.layer(14, 346, 306, "side by side", "(B, 1, H + E)")
    d.arrow(context.bottom, (46, joined.top[1]), role="context")
    d.arrow(word.bottom, (302, joined.top[1]))
    write_second_word(d, joined)
    return d


def known_before_step_two(d):
    """Encoder outputs, the state and the word of step 1, with their shapes."""
    d.note(88, 16, "known from the encoder", "middle")
    row(d.state, (40, 88, 136), 50, indexed("*h*"), "key")
    d.text(88, 88, "[(B, S, H)]")
    d.note(254, 16, "known from step 1", "middle")
    d.state(200, 50, "*s*_{1}", "query")
    d.text(200, 88, "[(B, 1, H)]")
    d.word(302, 50, "il", "query")
    d.text(302, 88, "[(B, 1)]")


def write_second_word(d, joined):
    """From what the LSTM reads to the word that it writes."""
    old = d.state(46, 382, "*s*_{1}", "query")
    lstm = d.layer(100, 346, 382, "LSTM")
    d.arrow((lstm.x, joined.bottom[1]), lstm.top)
    d.arrow(old.right, lstm.left)
    d.note(old.x, old.y + 30, "from step 1", "middle")
    new = d.state(lstm.x, 446, "*s*_{2}", "query")
    d.arrow(lstm.bottom, new.top)
    d.text(new.right[0] + 8, 446, "[(B, 1, H)]", anchor="start")
    d.note(new.left[0] - 8, 446, "the query of step 3", "end")
    output = d.layer(100, 346, 516, "output layer", "logits (B, 1, V)")
    d.arrow(new.bottom, output.top)
    d.arrow(output.bottom, d.word(output.x, 582, "fait", "query").top)


def layers():
    d = Drawing(
        560,
        "The layers of encoder and decoder",
        "Left the encoder: source words, embedding (B, S, E), LSTM (B, S, H). Its outputs go down "
        "as keys and values into attention. Right the decoder: target words, embedding (B, T, E); "
        "beside them the context from attention, together (B, T, H + E); LSTM (B, T, H), whose "
        "state is the query of attention; output layer (B, T, V); the next words. The encoder's "
        "last state is where the decoder's LSTM starts.",
    )
    d.note(82, 16, "encoder", "middle")
    d.note(276, 16, "decoder", "middle")
    spread(d, SOURCE, 21, 143, 44, "key")
    spread(d, ("<bos>", *TARGET[:2]), 204, 348, 44, "query")
    read = d.layer(24, 140, 112, "embedding", "(B, S, E)")
    encode = d.layer(24, 140, 192, "LSTM", "(B, S, H)")
    attention = d.layer(24, 140, 304, "attention", "(B, T, H)")
    write = d.layer(206, 346, 112, "embedding", "(B, T, E)")
    join = d.layer(206, 346, 304, "side by side", "(B, T, H + E)")
    lstm = d.layer(206, 346, 388, "LSTM", "(B, T, H)")
    dense = d.layer(206, 346, 468, "output layer", "(B, T, V)")
    spread(d, TARGET, 209, 343, 534, "query")
    for above, below in ((read, encode), (write, join), (join, lstm), (lstm, dense)):
        d.arrow(above.bottom, below.top)
    for box, y in ((read, 58), (write, 58)):
        d.arrow((box.x, y), box.top)
    d.arrow(dense.bottom, (dense.x, 520))
    join_the_stacks(d, encode, attention, join, lstm)
    return d


def join_the_stacks(d, encode, attention, join, lstm):
    """What passes between encoder, attention and decoder."""
    for x, role in ((62, "key"), (102, "value")):
        d.arrow((x, encode.bottom[1]), (x, attention.top[1]), role=role)
    d.note(53, 248, "keys", "end")
    d.note(111, 248, "values")
    d.arrow(attention.right, join.left, role="context")
    d.note(173, 286, "context", "middle")
    d.arrow(lstm.at(-1, -0.4), (82, lstm.y - 9.6), attention.bottom, role="query")
    d.note(144, lstm.y - 27, "query", "middle")
    d.arrow(encode.left, (10, encode.y), (10, lstm.y + 10), lstm.at(-1, 10 / 24))
    d.note(106, lstm.y + 27, "last state, to start from", "middle")
