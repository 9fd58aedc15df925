"""Checkers of the chapter on dot-product attention."""

import torch

from d2l_lite.attention import DotAttention, ScaledDotAttention
from d2l_lite.exercises.checking import Right, WrongAnswer, check_function, check_prediction


def check_changes(prediction: dict) -> Right:
    """Whether the context "stays" or "changes" after each of five changes to the inputs."""
    torch.manual_seed(1)
    q, k, v = torch.randn(1, 1, 4), torch.randn(1, 3, 4), torch.randn(1, 3, 4)
    shuffled, more = (q, k[:, [2, 0, 1]], v[:, [2, 0, 1]]), [0, 1, 2, 0]
    hidden = (q, k[:, more], v[:, more], torch.tensor([3]))
    changes = {
        "add the same vector to every key": ((q, k + 1, v), "What is added to each score?"),
        "multiply the query by 2": ((2 * q, k, v), "What becomes of differences of scores?"),
        "shuffle keys and values in the same way": (shuffled, "Does the order of a sum matter?"),
        "add 5 to every value": ((q, k, v + 5), "The weights stay; what do they sum to?"),
        "append one more key, and hide it": (hidden, "What weight does a hidden position get?"),
    }
    layer = ScaledDotAttention()
    old, truth = layer(q, k, v)[0], {}
    for name, (inputs, _) in changes.items():
        same = torch.allclose(layer(*inputs)[0], old, atol=1e-5)
        truth[name] = "stays" if same else "changes"
    hints = {name: hint for name, (_, hint) in changes.items()}
    return check_prediction(prediction, truth, hints, praise="All five.")


def check_gradient(function) -> Right:
    """Weights (T, S), values (S,) -> gradient of each row's context to its scores, (T, S)."""

    def right(weights, values):
        scores = weights.log().requires_grad_()
        (scores.softmax(dim=-1) @ values).sum().backward()
        return scores.grad

    mistakes = {
        "A value counts by its distance from the average, not from 0.": lambda b, v: b * v,
        "The sign: a value above the average pulls its score up.": lambda b, v: -right(b, v),
        "A word with little weight matters little.": lambda b, v: right(b, v) / b,
        "A row has an average of its own: `[:, None]`.": lambda b, v: b * (v - b @ v),
        "The average is weighted, with the row's own weights.": lambda b, v: b * (v - v.mean()),
    }
    torch.manual_seed(1)
    small = torch.tensor([[0.5, 0.5], [0.2, 0.8]]), torch.tensor([0.0, 10.0])
    cases = [small, (torch.randn(3, 5).softmax(dim=-1), torch.randn(5))]
    return check_function(function, right, cases, mistakes, "It is PyTorch's own gradient.")


def check_cosine(function) -> Right:
    """Cosines of all queries and keys: (B, T, D), (B, S, D) -> (B, T, S)."""

    def right(query, key):
        return torch.cosine_similarity(query[:, :, None], key[:, None], dim=-1)

    mistakes = {
        "This is the dot product: no vector was divided by its length.": lambda q, k: q @ k.mT,
        "The queries still have their lengths.": lambda q, k: (
            right(q, k) * q.norm(dim=-1)[..., None]
        ),
        "The keys still have their lengths.": lambda q, k: right(q, k) * k.norm(dim=-1)[:, None],
        "A length belongs to one vector, and vectors lie along the last axis.": lambda q, k: (
            (q / q.norm(dim=1, keepdim=True)) @ (k / k.norm(dim=1, keepdim=True)).mT
        ),
        "A cosine needs no √d.": lambda q, k: right(q, k) / q.shape[-1] ** 0.5,
    }
    torch.manual_seed(1)
    small = torch.tensor([[[3.0, 4.0]]]), torch.tensor([[[1.0, 0.0], [0.0, 2.0]]])
    large = torch.randn(100, 2, 256), torch.randn(100, 10, 256)
    check_function(function, right, [small, large], mistakes)
    largest = function(*large).softmax(dim=-1).amax(dim=-1).mean()
    return Right(f"The largest of ten weights at d = 256 is {largest:.2f} on average.")


class _ScaledByKeys(DotAttention):
    """The fault of the exercise: it divides by the root of the number of keys."""

    def score(self, query, projected_key):
        return super().score(query, projected_key) / projected_key.shape[1] ** 0.5


def check_padding_test(test) -> Right:
    """`test(layer)` -> bool: whether appended hidden positions change a layer's context."""
    verdicts = [test(layer) for layer in (ScaledDotAttention(), _ScaledByKeys())]
    if not all(isinstance(verdict, bool) for verdict in verdicts):
        raise WrongAnswer(f"True or False is wanted, not {verdicts[0]!r}.")
    if verdicts[0]:
        raise WrongAnswer(
            "It accuses a layer that is right. Are the new positions hidden? And are contexts "
            "compared? Weights have another shape."
        )
    if not verdicts[1]:
        raise WrongAnswer(
            "It does not see the fault. Keys that are all equal get equal scores, whatever they "
            "are divided by; and one of two runs needs more positions than the other."
        )
    return Right("The test sees the fault, and only that.")
