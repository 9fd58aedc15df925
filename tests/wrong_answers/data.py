"""Plausible wrong answers to the exercises of the chapter on the data."""

import torch

BATCH = {
    "src": (3, 7),
    "tgt": (3, 10),
    "decoder reads": (3, 9),
    "tgt_len": (6, 9, 10),
    "padding": 5,
}

WRONG = {
    "check_batch_shapes": [
        ({**BATCH, "src": (7, 3)}, "src: .* Batch first"),
        ({**BATCH, "src": (3, 6)}, "n't"),
        ({**BATCH, "tgt": (3, 8)}, "two more, not one or none"),
        ({**BATCH, "tgt": (3, 9)}, "two more, not one or none"),
        ({**BATCH, "decoder reads": (3, 10)}, "never read"),
        ({**BATCH, "tgt_len": (4, 7, 8)}, "counts <bos> and <eos>"),
        ({**BATCH, "tgt_len": (10, 10, 10)}, "no <pad>"),
        ({**BATCH, "padding": 16}, "less its own"),
        ({**BATCH, "padding": ...}, "place of the dots"),
    ],
    "check_leak": [
        (lambda count, share: (1 - share) ** (count - 1), "one is enough"),
        (lambda count, share: share ** (count - 1), "none"),
        (lambda count, share: 1 - share**count, "only the others"),
        (lambda count, share: 1 - share, "does not depend"),
        (lambda count, share: 1 - (1 - share) ** (count - 1), "the .test. part"),
    ],
    "check_target_row": [
        (lambda words, max_len: [1, *words, 2][:max_len], "<eos> is lost"),
        (lambda words, max_len: [1, *words[:max_len], 2], "too long: <bos> and <eos>"),
        (lambda words, max_len: [1, *words[: max_len - 1], 2], "one too long"),
        (lambda words, max_len: [1, *words[: max_len - 3], 2], "one word more"),
        (lambda words, max_len: [*words[: max_len - 1], 2], "begin with <bos>"),
    ],
    "check_order": [
        (lambda src_len, tgt_len: torch.arange(len(src_len)), "left of: source and target"),
        (lambda src_len, tgt_len: src_len.argsort(), "left of: target"),
        (lambda src_len, tgt_len: tgt_len.argsort(), "left of: source"),
        (lambda src_len, tgt_len: src_len.sort().values, "gives lengths, not rows"),
        (lambda src_len, tgt_len: src_len.argsort().tolist(), "A tensor"),
        (lambda src_len, tgt_len: (src_len + tgt_len).argsort(), "source and target"),
    ],
}
