"""What the book reports about its runs is recorded, complete and within what it promises."""

import json
import math
from pathlib import Path
from statistics import mean

import contexts
import families
import fra_eng as fra_eng_runs
import pytest
import records
import run as runner
import torch
from safetensors import safe_open

import d2l_lite.attention
from d2l_lite import Pair, load_pairs, load_run, split_pairs, translate

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "book" / "models"
SEEDS = [0, 1, 2]


@pytest.fixture(scope="module")
def fra_eng():
    return records.read(ROOT / "experiments" / "fra_eng.jsonl")


@pytest.fixture(scope="module")
def compared():
    return records.read(contexts.RECORDS)


@pytest.fixture(scope="module")
def trained_families():
    return records.read(families.RECORDS)


def of_seed_0(found, name):
    return next(record for record in found if (record["name"], record["seed"]) == (name, 0))


@pytest.mark.parametrize("name", ["rnn-attention", "text"])
def test_three_seeds_are_recorded_with_all_that_the_page_shows(fra_eng, name):
    runs = [record for record in fra_eng if record["name"] == name]
    assert sorted(record["seed"] for record in runs) == SEEDS
    for record in runs:
        assert len(record["history"]) == record["config"]["epochs"]
        assert record["scores"]["sentences"] == 646
        assert 0 < record["unseen_targets"]["sentences"] < 646
        low, high = record["scores"]["interval"]
        assert low < record["scores"]["bleu"] < high
        assert record["seconds"] < 15 * 60


def test_the_model_reaches_what_the_book_promises(fra_eng):
    assert mean(r["scores"]["bleu"] for r in fra_eng if r["name"] == "rnn-attention") >= 40


def test_the_corpus_is_counted():
    facts = json.loads((ROOT / "experiments" / "fra_eng_corpus.json").read_text(encoding="utf-8"))
    assert facts["pairs"] == 167_130
    assert facts["first_lines_longest"] == 7
    assert 0.45 < facts["random_split_leak"] < 0.55


def test_the_compared_decoders_are_recorded_with_all_that_the_pages_show(compared):
    done = [(record["name"], record["seed"]) for record in compared]
    assert sorted(done) == sorted(contexts.runs())
    sentences = len(split_pairs(load_pairs("mini-fra-long")).test)
    for record in compared:
        corpus, variant = record["name"].split("/")
        settings = contexts.CORPORA[corpus]
        assert [tuple(part["words"]) for part in record["by_length"]] == list(settings["bins"])
        assert len(record["history"]) == settings["training"]["epochs"]
        if corpus == "mini-fra-long":
            assert sum(part["sentences"] for part in record["by_length"]) == sentences
            assert (record["scores"]["aer"] is None) == (variant in contexts.FIXED)
            shown = record["seed"] == 0 and variant not in contexts.FIXED
            assert set(record["examples"] or ()) == (set(contexts.EXAMPLES) if shown else set())


def test_only_without_the_tanh_do_the_weights_not_depend_on_the_query(compared):
    for record in compared:
        variant = record["name"].split("/")[1]
        if variant in contexts.WITHOUT_TANH:
            assert record["query_effect"] < 1e-6
        elif variant not in contexts.FIXED:
            assert record["query_effect"] > 0.1


def scores(compared, name, score):
    found = [record["scores"][score] for record in compared if record["name"] == name]
    assert len(found) >= 2
    return mean(found)


def test_attention_looks_where_it_should(compared):
    assert scores(compared, "mini-fra-long/additive-after", "aer") <= 0.10


def test_attention_helps_on_real_sentences(compared):
    bleu = {name: scores(compared, f"fra-eng-long/{name}", "bleu") for name in contexts.LONG}
    assert bleu["additive-after"] >= 3 + max(bleu[name] for name in contexts.FIXED)


def test_the_families_have_equal_budgets(compared, fra_eng, trained_families):
    """Sizes within 10 % of the mean, and on one corpus as many epochs over the same tokens."""
    at = {contexts.RECORDS: compared, fra_eng_runs.RECORDS: fra_eng}
    for corpus in families.CORPORA:
        runs = []
        for family in families.FAMILIES:
            path, name = families.ELSEWHERE.get(f"{corpus}/{family}", (None, f"{corpus}/{family}"))
            found = at.get(path, trained_families)
            own = [run for run in found if run["name"] == name and run["seed"] in families.SEEDS]
            assert len(own) == len(families.SEEDS), (corpus, family)
            runs += own
        for size in (run["parameters"] for run in runs):
            assert 0.9 < size / mean(run["parameters"] for run in runs) < 1.1
        assert len({(run["config"]["epochs"], run["config"]["batch_size"]) for run in runs}) == 1


@pytest.mark.parametrize(("family", "least"), [("conv", 39), ("transformer", 40)])
def test_the_families_without_recurrence_translate_well(trained_families, family, least):
    """Mean BLEU of the seeds on the first 50,000 lines of fra-eng."""
    runs = [run for run in trained_families if run["name"] == f"fra-eng/{family}"]
    assert mean(run["scores"]["bleu"] for run in runs) >= least


def test_each_attention_of_a_family_is_scored_by_itself(trained_families):
    for run in trained_families:
        if run["name"].startswith("mini-fra-long/"):
            config = run["config"]
            assert len(run["every"]) == config["num_layers"] * config.get("num_heads", 1)
            assert min(run["every"]) <= 0.15


def test_the_peak_of_memory_is_in_megabytes():
    held = torch.ones(25_000_000)  # 100 MB
    peak = families.peak_memory()
    assert peak > held.element_size() * held.numel() / 1e6
    assert peak < 50_000


def test_the_fast_form_passes(capsys):
    runner.main(["--fast"])
    assert capsys.readouterr().out.count("\n") == len(contexts.VARIANTS)


def test_the_fast_form_fails_when_the_weights_stop_depending_on_the_query(monkeypatch):
    def without_query(self, query, projected_key):
        return projected_key.sum(dim=-1)[:, None].expand(-1, query.shape[1], -1)

    monkeypatch.setattr(d2l_lite.attention.DotAttention, "score", without_query)
    monkeypatch.setattr(contexts, "VARIANTS", {"dot-after": contexts.VARIANTS["dot-after"]})
    with pytest.raises(RuntimeError, match="dot-after: the weights do not depend on the query"):
        contexts.fast()


def test_rows_that_belong_to_the_next_word_are_found_by_the_shift():
    """Gold 0-0, 1-1, 2-2; the weights of each step are those of the next word."""
    weights = torch.eye(3).roll(-1, dims=0)  # (T, S): step 0 looks at 1, step 1 at 2, step 2 at 0
    pair = Pair("a b c", "x y z", ((0, 0), (1, 1), (2, 2)))
    rates = contexts.shifted([weights], [pair])
    assert rates["1"] == 0
    assert rates["0"] == 1
    assert contexts.shifted([weights], [pair._replace(alignment=None)]) is None


def test_weights_that_are_the_same_in_every_row_do_not_depend_on_the_query():
    same, other = torch.full((3, 4), 0.25), torch.eye(4)[:2]
    assert contexts.query_effect([same]) == 0
    assert contexts.query_effect([other]) == pytest.approx(1)


def test_an_unknown_experiment_is_named_with_those_there_are(capsys):
    with pytest.raises(SystemExit):
        runner.main(["context"])
    assert (
        "unknown experiment 'context'; known: contexts, fra_eng, families"
        in capsys.readouterr().err
    )


class TwoRuns:
    """An experiment of two runs, of which the second can be made to fail."""

    def __init__(self, folder):
        self.RECORDS, self.made, self.broken = folder / "two.jsonl", [], True

    def runs(self):
        return [("a", 0), ("a", 1)]

    def prepare(self):
        pass

    def finish(self, folder_of):
        self.finished = folder_of("a", 1).name


def test_what_is_recorded_is_kept_when_another_run_fails(tmp_path, monkeypatch):
    experiment = TwoRuns(tmp_path)

    def run_here(name, seed, kept):
        if seed and experiment.broken:
            raise KeyboardInterrupt
        experiment.made.append(seed)
        return {"name": kept, "seed": seed}

    class Here:
        """A pool that runs in this process."""

        def __init__(self, *settings):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return False

        def submit(self, function, *given):
            return Done(lambda: run_here(given[0], given[2], given[1]))

    class Done:
        def __init__(self, result):
            self.result = result

    monkeypatch.setattr(runner, "import_module", lambda name: experiment)
    monkeypatch.setattr(runner, "ProcessPoolExecutor", Here)
    monkeypatch.setattr(runner, "as_completed", iter)
    with pytest.raises(KeyboardInterrupt):
        runner.repeat("two")
    assert [record["seed"] for record in records.read(experiment.RECORDS)] == [0]
    experiment.broken = False
    runner.repeat("two")
    assert experiment.made == [0, 1] and experiment.finished == "two-a-1"


def test_ten_errors_of_the_shipped_model_are_recorded():
    found = json.loads((ROOT / "experiments" / "fra_eng_errors.json").read_text(encoding="utf-8"))
    assert len(found["errors"]) == 10
    for error in found["errors"]:
        assert error["translation"] not in error["references"]


def test_what_bleu_counted_gives_the_recorded_bleu(fra_eng):
    """Sums over the sentences: hits and totals of 1 to 4 words, both lengths."""
    text = (ROOT / "experiments" / "fra_eng_counts.json").read_text(encoding="utf-8")
    for seed, counts in enumerate(json.loads(text)):
        (record,) = [r for r in fra_eng if (r["name"], r["seed"]) == ("rnn-attention", seed)]
        assert len(counts) == record["scores"]["sentences"]
        hits = [sum(column) for column in zip(*counts, strict=True)]
        score = math.exp(mean(math.log(hits[n] / hits[4 + n]) for n in range(4)))
        score *= math.exp(min(0, 1 - hits[9] / hits[8]))
        assert 100 * score == pytest.approx(record["scores"]["bleu"])


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("fra-eng-rnn-attention", 8_000_000),
        ("mini-fra-long-rnn", 1_000_000),
        ("mini-fra-long-rnn-attention", 1_000_000),
        ("mini-fra-long-conv", 1_000_000),
        ("mini-fra-long-transformer", 1_000_000),
    ],
)
def test_a_shipped_model_is_small_whole_and_that_of_the_records(
    fra_eng, compared, trained_families, name, size
):
    folder = MODELS / name
    assert sum(path.stat().st_size for path in folder.iterdir()) < size
    with safe_open(folder / "model.safetensors", "pt") as file:
        assert {file.get_tensor(part).dtype for part in file.keys()} == {torch.float16}  # noqa: SIM118
    shipped = load_run(name)
    shipping = {fra_eng_runs.SHIPPED: (fra_eng, "rnn-attention")}
    for experiment, found in ((contexts, compared), (families, trained_families)):
        shipping |= {folder: (found, run) for run, folder in experiment.SHIPPED.items()}
    recorded = of_seed_0(*shipping[name])
    assert shipped.history == recorded["history"]
    assert shipped.config["model"].items() <= recorded["config"].items()
    (translation,) = translate(shipped.model, ["Tom is tired."])
    assert translation.words[-1] in ".!" and not translation.unknown


def test_recorded_runs_are_skipped_and_a_new_file_starts_with_all(tmp_path):
    path, runs = tmp_path / "runs.jsonl", [("a", 0), ("a", 1)]
    assert records.missing(path, runs) == runs
    records.append(path, {"name": "a", "seed": 0})
    assert records.missing(path, runs) == [("a", 1)]
    assert records.missing(path, runs, again=True) == runs
    assert records.read(path) == []
    assert records.read(tmp_path / "runs.old.jsonl") == [{"name": "a", "seed": 0}]


@pytest.mark.parametrize("line", ["{", '{"name": "a"}', "[1]", '"a"'])
def test_a_damaged_line_is_named_and_nothing_is_lost(tmp_path, line):
    path = tmp_path / "runs.jsonl"
    text = '{"name": "a", "seed": 0}\n' + line + "\n"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"line 2 of .*runs\.jsonl is damaged"):
        records.missing(path, [("a", 0)], again=True)
    assert path.read_text(encoding="utf-8") == text
