"""Wrong answers to the exercises on positions and convolutions."""

import torch
import torch.nn.functional as F

SHAPES = {
    "shape of the convolution's weight": (16, 8, 5),
    "output without padding": (4, 16, 8),
    "output with causal padding": (4, 20, 8),
    "words that 4 layers see": 17,
    "causal layers until word 40 sees word 1": 10,
}
SHARES = {1: 1.0, 2: 0.99, 3: 1.0, 4: 0.98, 5: 0.47, 6: 0.52, 7: 0.55}


def begins_at_its_word(x, weight):
    k = weight.shape[2]
    return F.conv1d(x.transpose(1, 2), weight, padding=k - 1)[:, :, k - 1 :].transpose(1, 2)


def middle_at_its_word(x, weight):
    return F.conv1d(x.transpose(1, 2), weight, padding=weight.shape[2] // 2).transpose(1, 2)


def not_cut(x, weight):
    return F.conv1d(x.transpose(1, 2), weight, padding=weight.shape[2] - 1).transpose(1, 2)


def kernel_turned_round(x, weight):
    padded = F.pad(x.transpose(1, 2), (weight.shape[2] - 1, 0))
    return F.conv1d(padded, weight.flip(2)).transpose(1, 2)


def swapped_gate(channels):
    gates, passed = channels.chunk(2, dim=-1)
    return passed * torch.sigmoid(gates)


def gate_of_an_lstm(channels):
    a, b = channels.chunk(2, dim=-1)
    return torch.tanh(a) * torch.sigmoid(b)


WRONG = {
    "check_shapes": [
        (SHAPES | {"shape of the convolution's weight": (8, 8, 5)}, "gates are channels, too"),
        (SHAPES | {"shape of the convolution's weight": (16, 5, 8)}, "Channels out"),
        (SHAPES | {"output without padding": (4, 16, 16)}, "gate has not been applied"),
        (SHAPES | {"output without padding": (4, 20, 8)}, "does not fit at every position"),
        (SHAPES | {"output with causal padding": (4, 24, 8)}, "What is the padding there for"),
        (SHAPES | {"words that 4 layers see": 20}, "windows overlap"),
        (SHAPES | {"causal layers until word 40 sees word 1": 8}, "39 steps"),
        (SHAPES | {"causal layers until word 40 sees word 1": 9}, "39 steps"),
    ],
    "check_gate": [
        (swapped_gate, "changed roles"),
        (lambda x: x.chunk(2, dim=-1)[0] * x.chunk(2, dim=-1)[1], "sigmoid is missing"),
        (gate_of_an_lstm, "should pass as it is"),
        (lambda x: x[..., ::2] * torch.sigmoid(x[..., 1::2]), "numbers differ"),
        (lambda x: F.glu(x, dim=1), "words were split"),
        (lambda x: x * torch.sigmoid(x), r"shape is \(1, 2, 4\)"),
    ],
    "check_causal": [
        (begins_at_its_word, "begins at its word"),
        (middle_at_its_word, "in the middle of the window"),
        (kernel_turned_round, "numbers differ"),
        (not_cut, r"shape is \(1, 6, 1\)"),
    ],
    "check_without_positions": [
        (dict.fromkeys(SHARES, 1.0), "5: 1.0.*positions off"),
        (SHARES | {3: 0.49, 4: 0.52}, "3: 0.49.*width 5"),
        (dict.fromkeys(SHARES, 0.5), "1: 0.5.*judge trained"),
        (SHARES | {5: 0.74}, "5: 0.74.*both orders counted"),
    ],
}
