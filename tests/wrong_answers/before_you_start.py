"""Plausible wrong answers to the exercises of "Before you start"."""

SHAPES = {
    "query[:, -1]": (2, 8),
    "query[:, :1]": (2, 1, 8),
    "query[:, :, None] + key[:, None]": (2, 5, 7, 8),
    "query @ key.transpose(1, 2)": (2, 5, 7),
    "torch.arange(7) < lengths[:, None]": (2, 7),
    "nn.Linear(8, 1)(key).squeeze(-1)": (2, 7),
}


def changed(key, shape):
    return {**SHAPES, key: shape}


def in_place(values, mask):
    values[~mask] = 0.0
    return values.sum(dim=-1) / mask.sum(dim=-1)


WRONG = {
    "check_shapes": [
        (changed("query[:, -1]", (2, 1, 8)), "An index takes its axis away"),
        (changed("query[:, :1]", (2, 8)), "A slice, with a colon"),
        (changed("query[:, :, None] + key[:, None]", (2, 5, 8)), "below each other"),
        (changed("query @ key.transpose(1, 2)", (2, 5, 7, 8)), "sums over the last axis"),
        (changed("nn.Linear(8, 1)(key).squeeze(-1)", (2, 7, 1)), "drops the 1"),
        (changed("torch.arange(7) < lengths[:, None]", ...), "place of the dots"),
    ],
    "check_distances": [
        (lambda q, k: (k[:, :, None] - q[:, None]).square().sum(dim=-1), "rows are queries"),
        (lambda q, k: (q - k).square().sum(dim=-1), "meets the key number i"),
        (
            lambda q, k: (q[:, :, None] - k[:, None]).sum(dim=-1).square(),
            "Square each number first",
        ),
        (lambda q, k: (q[:, :, None] - k[:, None]).square().mean(dim=-1), "the mean"),
        (lambda q, k: (q[:, :, None] - k[:, None]).norm(dim=-1), "without the root"),
        (lambda q, k: (q[:, :, None] - k[:, None]).square(), r"shape is \(1, 2, 2, 2\)"),
    ],
    "check_rows": [
        (lambda table: table / table.sum(dim=-1), "belong to rows"),
        (lambda table: table / table.sum(dim=0), "each column sums to 1"),
        (lambda table: table / table.sum(), "whole table"),
        (lambda table: table.div_(table.sum(dim=-1, keepdim=True)), "in place"),
    ],
    "check_visible_mean": [
        (lambda values, mask: (values * mask).mean(dim=-1), "how many are visible"),
        (
            lambda values, mask: values.masked_fill(mask, 0.0).sum(dim=-1) / (~mask).sum(dim=-1),
            "wrong way round",
        ),
        (lambda values, mask: values.mean(dim=-1), "was not used"),
        (
            lambda values, mask: values.masked_fill(mask, 0).sum(-1) / mask.sum(-1),
            "masked_fill fills",
        ),
        (lambda values, mask: values[mask].mean(), r"shape is \(\)"),
        (in_place, "in place"),
    ],
}
