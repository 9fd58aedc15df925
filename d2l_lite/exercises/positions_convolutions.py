"""Checkers of the chapter on positions and convolutions."""

import torch
import torch.nn.functional as F

from d2l_lite.conv import GatedConvolution
from d2l_lite.exercises.checking import Right, check_function, check_prediction


def check_shapes(prediction: dict) -> Right:
    """Shapes of a gated convolution, H = 8, k = 5, over (4, 20, 8), and what a stack sees."""
    layer, x = GatedConvolution(8, 5), torch.zeros(4, 20, 8)
    once, twice = layer(x), layer(layer(x))
    step = once.shape[1] - twice.shape[1]  # what a layer adds to the words seen
    truth = {
        "shape of the convolution's weight": tuple(layer.conv.weight.shape),
        "output without padding": tuple(once.shape),
        "output with causal padding": tuple(layer(F.pad(x, (0, 0, step, 0))).shape),
        "words that 4 layers see": 4 * step + 1,
        "causal layers until word 40 sees word 1": -(-39 // step),  # rounded up
    }
    hints = {
        "shape of the convolution's weight": {
            (8, 8, 5): "The gates are channels, too: 2H come out of the convolution.",
            None: "Channels out, channels in, positions.",
        },
        "output without padding": {
            (4, 20, 8): "A window of 5 does not fit at every position.",
            (4, 16, 16): "The gate has not been applied: half of the channels are gates.",
            None: "How many windows fit, and how many numbers leave the gate?",
        },
        "output with causal padding": "What is the padding there for?",
        "words that 4 layers see": "The windows overlap: a layer adds k - 1, not k.",
        "causal layers until word 40 sees word 1": (
            "From word 40 back to word 1 it is 39 steps, and a layer goes back k - 1."
        ),
    }
    return check_prediction(prediction, truth, hints, praise="Each layer adds k - 1 words.")


def check_gate(function) -> Right:
    """Channels (B, S, 2H) -> (B, S, H), the first half times the sigmoid of the second."""
    mistakes = {
        "The halves changed roles: the second one holds the gates.": (
            lambda x: F.glu(x.roll(x.shape[-1] // 2, -1))
        ),
        "The sigmoid is missing: b itself is the factor.": lambda x: torch.mul(*x.chunk(2, -1)),
        "A tanh has bent the first half, which should pass as it is.": (
            lambda x: x.chunk(2, -1)[0].tanh() * x.chunk(2, -1)[1].sigmoid()
        ),
        "The words were split into halves, and not the channels of each word.": (
            lambda x: F.glu(x, dim=1)
        ),
    }
    cases = [(torch.tensor([[[2.0, -1, 3, -3], [1, 4, 0, 2]]]),)]
    return check_function(function, F.glu, cases, mistakes)


def check_causal(function) -> Right:
    """Words (B, T, E) and weight (H, E, k) -> (B, T, H), no output depends on a later word."""

    def windows(cut):
        """The convolution padded on both sides, without its first `cut(k)` outputs."""

        def function(x, weight):
            k = weight.shape[2]
            y = F.conv1d(x.mT, weight, padding=k - 1)
            return y[:, :, cut(k) : cut(k) + x.shape[1]].mT

        return function

    mistakes = {
        "An output sees later words: its window begins at its word.": windows(lambda k: k - 1),
        "An output sees later words: its word is in the middle of the window.": (
            windows(lambda k: k // 2)
        ),
    }
    words = torch.tensor([1.0, 10, 100, 1000]).view(1, 4, 1)
    cases = [(words, torch.ones(1, 1, 3)), (words.view(1, 2, 2), torch.arange(30.0).view(3, 2, 5))]
    return check_function(function, windows(lambda k: 0), cases, mistakes, "Nobody looks ahead.")


def check_without_positions(answer: dict) -> Right:
    """Distance 1 to 7 -> share of right answers of a judge of windows of 5, without positions."""
    near = "A window of 5 holds both words. Is the width 5, and is the judge trained?"
    far = "No window of 5 holds both words. Are the positions off, and are both orders counted?"
    truth = {distance: 1.0 if distance < 5 else 0.5 for distance in range(1, 8)}
    hints = {distance: near if distance < 5 else far for distance in truth}
    return check_prediction(answer, truth, hints, tolerance=0.15, praise="The window decides.")
