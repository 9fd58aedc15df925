"""One thread for small matrices, all for large ones, and afterwards as many as before."""

import pytest
import torch
from small import PAIRS, VOCABS, small_model

from d2l_lite import Batches, TrainConfig, fit, seq2seq
from d2l_lite.threads import all_threads, one_thread


@pytest.fixture(autouse=True)
def two_threads():
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def test_one_thread_and_all_amid_it():
    with one_thread(small=True):
        assert torch.get_num_threads() == 1
        with all_threads():
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with one_thread(small=False):
        assert torch.get_num_threads() == 2
    with all_threads():
        assert torch.get_num_threads() == 2


def test_an_error_leaves_the_number_as_it_was():
    with pytest.raises(ValueError, match="stop"), one_thread(small=True):
        raise ValueError("stop")
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(("hidden_size", "expected"), [(24, [1, 2]), (2 * 2048, [2, 2])])
def test_small_models_train_on_one_and_score_words_on_all(hidden_size, expected, monkeypatch):
    model = small_model("rnn", hidden_size=hidden_size, embed_size=2)
    seen = []

    def watched(*given):
        seen.append(torch.get_num_threads())
        return original(*given)

    original = seq2seq._CrossEntropy.forward
    monkeypatch.setattr(seq2seq._CrossEntropy, "forward", staticmethod(watched))
    model.encoder.register_forward_hook(lambda *given: seen.append(torch.get_num_threads()))
    config = TrainConfig(epochs=1, device="cpu", progress=False)
    fit(model, Batches(PAIRS[:8], *VOCABS, batch_size=8), config)
    assert seen == expected
    assert torch.get_num_threads() == 2
