"""The exercises: each chapter has enough of them, right answers pass, plausible wrong ones get a
fitting hint.

Right answers are the solutions in the notebooks, which nbmake runs. Wrong ones stand in
`tests/wrong_answers/`, a file a chapter: `WRONG = {"check_…": [(answer, "hint"), …]}`.
"""

import importlib
import inspect
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

from d2l_lite.exercises.checking import (
    Right,
    WrongAnswer,
    check_function,
    check_prediction,
    difference,
)

ROOT = Path(__file__).parents[1]
PAGES = {"errata"}  # notebooks that are no chapters
NOTEBOOKS = {
    path.stem.split("_", 1)[1]: path
    for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
    if path.stem.split("_", 1)[1] not in PAGES
}
KINDS = {"predict", "puzzle", "bug", "ablation"}

each = pytest.mark.parametrize("chapter", NOTEBOOKS)


def checkers(chapter):
    """Name -> checker of a chapter, in the order of the file."""
    module = importlib.import_module(f"d2l_lite.exercises.{chapter}")
    return {
        name: function
        for name, function in vars(module).items()
        if name.startswith("check_") and function.__module__ == module.__name__
    }


def wrong_answers(chapter):
    return importlib.import_module(f"wrong_answers.{chapter}").WRONG


def exercises(chapter):
    """Each exercise of a notebook: its kind, label, cells, and the cells of its solution."""
    found, solutions, current = [], {}, []
    for cell in nbformat.read(NOTEBOOKS[chapter], as_version=4).cells:
        if cell.cell_type == "code":
            current.append(cell)
            continue
        if re.search(r"\{(exercise|solution)-end\}", cell.source):
            current = []
        if begin := re.search(r"\{exercise-start\}[^\n]*\n((?::[^\n]*\n)+)", cell.source):
            options = dict(re.findall(r":(\w+): (.*)", begin.group(1)))
            current = []
            found.append((options.get("class"), options["label"], current))
        if begin := re.search(r"\{solution-start\} (\S+)", cell.source):
            current = solutions[begin.group(1)] = []
    return [(kind, label, cells, solutions.get(label, [])) for kind, label, cells in found]


@each
def test_a_chapter_has_four_exercises_of_three_kinds(chapter):
    kinds = [kind for kind, *_ in exercises(chapter)]
    assert len(kinds) >= 4
    assert set(kinds) <= KINDS, kinds
    assert len(set(kinds)) >= 3, kinds


@each
def test_each_exercise_is_checked_on_its_stub_and_on_its_solution(chapter):
    used = set()
    for _, label, stub, solution in exercises(chapter):
        failing = [cell for cell in stub if "raises-exception" in cell.metadata.get("tags", [])]
        assert len(failing) == 1 and stub[-1] is failing[0], label
        assert "remove-output" in failing[0].metadata["tags"], label
        (name,) = re.findall(r"exercises\.(check_\w+)\(", failing[0].source)
        assert any(f"exercises.{name}(" in cell.source for cell in solution), label
        assert not any(cell.metadata.get("tags") for cell in solution), label
        used.add(name)
    assert used == set(checkers(chapter))


@each
def test_each_checker_says_what_it_wants_and_has_two_wrong_answers(chapter):
    found = checkers(chapter)
    assert set(wrong_answers(chapter)) == set(found)
    for name, function in found.items():
        assert inspect.getdoc(function), name
        assert len(wrong_answers(chapter)[name]) >= 2, name


CASES = [
    pytest.param(chapter, name, answer, hint, id=f"{chapter}-{name}-{number}")
    for chapter in NOTEBOOKS
    for name, answers in wrong_answers(chapter).items()
    for number, (answer, hint) in enumerate(answers)
]


@pytest.mark.parametrize(("chapter", "name", "answer", "hint"), CASES)
def test_a_wrong_answer_gets_its_hint(chapter, name, answer, hint):
    """An answer that is a tuple of several arguments stands in a list."""
    arguments = answer if isinstance(answer, list) else [answer]
    with pytest.raises(WrongAnswer, match=hint):
        checkers(chapter)[name](*arguments)


def double(x):
    return 2 * x


def test_a_right_function_passes_and_a_wrong_one_is_shown_its_counterexample():
    cases = [(torch.tensor([0.0]),), (torch.tensor([1.0, 2.0]),)]
    assert check_function(double, double, cases, praise="Twice.") == "Twice."
    with pytest.raises(
        WrongAnswer, match=r"\[1.0, 2.0\]\nit gives \[1.0, 4.0\],\nand \[2.0, 4.0\]"
    ):
        check_function(torch.square, double, cases)


def test_a_mistake_that_is_recognised_is_named():
    with pytest.raises(WrongAnswer, match="that adds two"):
        check_function(add_two, double, [(torch.ones(1),)], {"that adds two": add_two})


def test_a_mistake_that_fails_on_an_input_is_passed_over():
    mistakes = {"that adds a matrix": lambda x: x + torch.ones(3, 3)[x.shape], "that adds": add_two}
    with pytest.raises(WrongAnswer, match="that adds\n"):
        check_function(add_two, double, [(torch.ones(1),)], mistakes)


def add_two(x):
    return x + 2


def shrink(x):
    """In place, with the right result."""
    result = 2 * x
    x.zero_()
    return result


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda x: ..., "nothing yet"),
        (lambda x: None, "nothing yet"),
        (lambda x: x.undefined, "fails with AttributeError"),
        (lambda x: (2 * x).tolist(), "a list, and a tensor"),
        (lambda x: 2 * x[None], r"shape is \(1, 2\) and should be \(2,\)"),
        (lambda x: (2 * x).double(), "torch.float64"),
        (lambda x: x * float("nan"), "NaN"),
        (shrink, "in place"),
    ],
)
def test_what_is_wrong_with_a_function_is_said(answer, message):
    with pytest.raises(WrongAnswer, match=message):
        check_function(answer, double, [(torch.tensor([1.0, 2.0]),)])


def test_a_mask_the_wrong_way_round_is_recognised():
    mask = torch.tensor([True, False])
    assert "wrong way round" in difference(~mask, mask)
    assert "Some" in difference(torch.tensor([True, True]), mask)
    assert difference(mask.clone(), mask) == ""


def test_several_results_are_compared_one_by_one():
    pair = (torch.ones(1), torch.zeros(1))
    assert difference(pair, pair) == ""
    assert "2 values" in difference(pair[0], pair)
    assert "differ" in difference((pair[0], pair[0]), pair)


def test_predictions_are_compared_entry_by_entry():
    truth = {"shape": torch.Size([2, 3]), "loss": 1.5, "word": "stays"}
    right = {"shape": [2, 3], "loss": 1.49, "word": "stays"}
    assert isinstance(check_prediction(right, truth, tolerance=0.05), Right)
    hints = {"shape": {(3, 2): "batch first", None: "count again"}, "word": "look"}
    for wrong, hint in [
        ({**right, "shape": (3, 2)}, "batch first"),
        ({**right, "shape": (2, 3, 1)}, "count again"),
        ({**right, "shape": ...}, "in the place of the dots"),
        ({**right, "word": "changes"}, "word: 'changes' is not what comes out. look"),
        ({**right, "loss": True}, "loss"),
        ({"shape": (2, 3)}, "keys"),
        (7, "keys"),
    ]:
        with pytest.raises(WrongAnswer, match=hint):
            check_prediction(wrong, truth, hints, tolerance=0.05)


def test_a_single_prediction_needs_no_dictionary():
    assert check_prediction((2, 3), (2, 3)) == ""
    assert check_prediction(np.bool_(True), True) == check_prediction(np.int64(2), 2) == ""
    with pytest.raises(WrongAnswer, match="the axes"):
        check_prediction((3, 2), (2, 3), {(3, 2): "the axes changed places"})
    with pytest.raises(WrongAnswer, match="the dots"):
        check_prediction(..., (2, 3))


def test_a_notebook_shows_the_message_and_no_traceback():
    assert WrongAnswer("the mask")._render_traceback_() == ["Not yet. the mask"]
    assert repr(Right("Both.")) == "Right. Both."
