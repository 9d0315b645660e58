"""Panels: means, majorities, own answers left out, z-scores and agreement."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rather.core.errors import CallError
from rather.core.paid import Reply
from rather.core.row import text_answers
from rather.filters.judge_panel import JudgePanel
from rather.filters.judge_panel_pairwise import JudgePanelPairwise
from rather.filters.judge_pointwise import JudgePointwise
from rather.filters.panel import majority, together
from rather.filters.panel_scale import DiagnosePanel, PanelZ, matrix_of, mean_z, stacked

from ..frames import TableFrame
from ..judges import Asked, FakeContext, Rule, between, candidates, judged, pairs
from ..narrows import narrow_of


def panel(stage: Any, batch: pa.Table, specs: dict[str, Any] | None = None, **rules: Rule) -> dict[str, list[Any]]:
    ctx = FakeContext({name: Asked(rule) for name, rule in rules.items()}, specs or {})
    found = stage.score(batch, ctx)
    assert {c.name: c.type for c in stage.columns_written()} == {name: column.type for name, column in found.items()}
    return {name: column.to_pylist() for name, column in found.items()}


def test_the_mean_of_the_judges_and_each_one_s_score() -> None:
    stage = JudgePanel(judges=("stern", "kind", "lost"), of="candidates")
    rows = candidates(("p", ["good", "bad"]), ("q", None))
    found = panel(
        stage,
        rows,
        stern=lambda p: "6" if "good" in p else "2",
        kind=lambda p: "9" if "good" in p else "7",
        lost=lambda p: "no idea" if "good" in p else CallError("gone"),
    )
    assert found["panel_score"] == [[7.5, 4.5], None] and found["panel_score_sd"] == [[1.5, 2.5], None]
    assert found["panel_score_by_judge"] == [[[6.0, 9.0, None], [2.0, 7.0, None]], None]
    assert found["panel_score_outcomes"][0] == [["ok", "ok", "unparsable"], ["ok", "ok", "failed"]]
    assert found["panel_score_outcome"] == [["ok", "ok"], None]
    assert JudgePanel(judges=("a", "b"), aspects=("x", "y")).calls_a_row() == 8


def test_too_few_scores_are_no_score() -> None:
    assert together("s", [7.0, None], ["ok", "refused"], 2, "mean")["s_outcome"] == "refused"
    assert "s" not in together("s", [7.0, None], ["ok", "refused"], 2, "mean")
    assert together("s", [7.0, None], ["ok", None], 2, "mean")["s"] == 7.0, "one judge may judge, one is enough"
    assert together("s", [1.0, 9.0, 2.0], ["ok"] * 3, 2, "median")["s"] == 2.0
    assert "s_outcome" not in together("s", [None, None], [None, None], 2, "mean"), "nobody may judge it"


@pytest.mark.parametrize("signed", ["big-model", "openai big-model", "one"])
def test_a_judge_does_not_judge_its_own_answers(signed: str) -> None:
    """Answers are signed by their source, or by the stage that made them in the same run."""
    rows = pairs(("p", "mine", "yours"))
    rows = rows.set_column(2, "chosen", text_answers(pa.array(["mine"]), pa.array([signed])))
    specs = {"one": SimpleNamespace(use="openai", name="big-model"), "two": SimpleNamespace(use="openai", name="other")}
    stage = JudgePanel(judges=("one", "two"))
    found = panel(stage, rows, specs, one=lambda p: "3", two=lambda p: "9")
    assert found["chosen_panel_score_by_judge"] == [[None, 9.0]] and found["chosen_panel_score"] == [9.0]
    assert found["chosen_panel_score_outcomes"] == [[None, "ok"]]
    assert found["rejected_panel_score_by_judge"] == [[3.0, 9.0]]
    loose = JudgePanel(judges=("one", "two"), exclude_self=False)
    assert panel(loose, rows, specs, one=lambda p: "3", two=lambda p: "9")["chosen_panel_score"] == [6.0]
    votes = JudgePanelPairwise(judges=("one", "two"))
    found = panel(votes, rows, specs, one=lambda p: "A", two=lambda p: "A")
    assert found["panel_p_by_judge"] == [[None, 0.5]]


def test_aspects_and_templates_make_members() -> None:
    stage = JudgePanel(judges="one", templates=("pointwise", "pointwise"), aspects=("tone", "truth"), of="chosen")
    found = panel(stage, pairs(("p", "a", "b")), one=lambda p: "4" if "tone" in p else "8")
    assert found["chosen_panel_score_by_judge"] == [[6.0, 6.0]] and found["chosen_panel_score"] == [6.0]


def test_the_vote_of_a_pairwise_panel() -> None:
    def fair(prompt: str) -> str:
        return "A" if between(prompt, "# Answer A", "# Answer B") == "good" else "B"

    stage = JudgePanelPairwise(judges=("a", "b", "c"))
    rows = pairs(("p", "good", "bad"), ("p", "good", None))
    found = panel(stage, rows, a=fair, b=lambda p: "A", c=fair)
    assert found["panel_p"] == [pytest.approx(2.5 / 3), None] and found["panel_p_verdict"] == ["chosen", None]
    assert found["panel_p_by_judge"] == [[1.0, 0.5, 1.0], None]
    found = panel(stage, rows, a=fair, b=lambda p: "?", c=lambda p: "?")
    assert found["panel_p"] == [None, None] and found["panel_p_outcome"] == ["unparsable", None]
    assert found["panel_p_verdict"] == [None, None]


def test_majority_by_hand() -> None:
    assert majority([0.9, 0.6, 0.1]) == "chosen" and majority([0.9, 0.1]) == "tie"
    assert majority([0.5, 0.4, None]) == "rejected" and majority([None]) is None


def test_z_scores_bring_a_stern_judge_and_a_kind_one_together() -> None:
    """Judge one gives 1, 3 (mean 2, sd 1), judge two 8, 10 (mean 9, sd 1), judge three always 5."""
    ratings = np.array([[1, 8, 5], [3, 10, 5]], float)
    assert mean_z(ratings).tolist() == [-1.0, 1.0]
    alone = np.array([[1, np.nan], [3, np.nan], [np.nan, np.nan]])
    assert mean_z(alone)[:2].tolist() == [-1.0, 1.0] and np.isnan(mean_z(alone)[2])


def test_z_scores_of_both_sides_share_one_scale(tmp_path: Any) -> None:
    kind = pa.list_(pa.float64())
    table = pa.table(
        {
            "chosen_panel_score_by_judge": pa.array([[3.0, 10.0], None], kind),
            "rejected_panel_score_by_judge": pa.array([[1.0, 8.0], [3.0, None]], kind),
        }
    )
    found = PanelZ().fit(
        narrow_of(tmp_path, {n: table[n].combine_chunks() for n in table.column_names}), FakeContext({})
    )
    first = np.array([3, 1, 3], float)
    assert found["chosen_panel_score_z"].to_pylist()[1] is None
    expected = ((3 - first.mean()) / first.std() + 1.0) / 2
    assert found["chosen_panel_score_z"].to_pylist()[0] == pytest.approx(expected)
    lists = pa.table({"panel_score_by_judge": pa.array([[[1.0], [3.0]], None, [None]], pa.list_(kind))})
    by_candidate = PanelZ(of="candidates").fit(
        narrow_of(tmp_path, {"panel_score_by_judge": lists[0].combine_chunks()}), FakeContext({})
    )
    assert by_candidate["panel_score_z"].to_pylist() == [[-1.0, 1.0], None, [None]]


def test_matrices_by_judge() -> None:
    column = pa.array([[1.0, None], None, [2.0, 3.0]], pa.list_(pa.float64()))
    assert np.array_equal(matrix_of(column, "row"), [[1, np.nan], [np.nan, np.nan], [2, 3]], equal_nan=True)
    none = pa.array([None, None], pa.list_(pa.float64()))
    assert stacked([matrix_of(none, "row"), matrix_of(column, "row")]).shape == (5, 2)
    assert stacked([]).shape == (0, 0)


def test_agreement_is_told_with_an_interval() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(1, 10, 300)
    lists = [[float(t), float(t + rng.integers(0, 2)), None if k % 5 else float(t)] for k, t in enumerate(truth)]
    table = pa.table({"panel_score_by_judge": pa.array([lists[:150], lists[150:]], pa.list_(pa.list_(pa.float64())))})
    facts = DiagnosePanel(of="candidates").sink(TableFrame(table), FakeContext({}))
    assert 0.9 < facts["low"] < facts["alpha"] < facts["high"] < 1 and facts["answers"] == 300
    assert [judge["scores"] for judge in facts["judges"]] == [300, 300, 60]
    empty = DiagnosePanel(of="row").sink(
        TableFrame(pa.table({"panel_score_by_judge": pa.array([], pa.list_(pa.float64()))})), FakeContext({})
    )
    assert empty["alpha"] is None and empty["low"] is None and empty["judges"] == []


def test_three_recorded_draws_of_a_real_judge(data: Path) -> None:
    """380 answers, each with three feedbacks and scores of one judge: replayed as samples and as a panel."""
    with gzip.open(data / "feedback" / "rubric_scored_responses.jsonl.gz", "rt", encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    rows = candidates(*((line["instruction"], [line["response"]]) for line in lines))
    by_answer = {(line["instruction"].strip(), line["response"].strip()): line for line in lines}

    def draws(prompt: str) -> list[str]:
        question, answer = prompt.removeprefix("# Prompt\n").rsplit("# Answer\n", 1)
        line = by_answer[question.strip(), answer.rsplit("Say in a few", 1)[0].strip()]
        return [f"{why}\nScore: {k}" for why, k in zip(line["feedbacks"], line["scores"], strict=True)]

    stage = JudgePointwise(of="candidates", high=5, reason=True, samples=3, temperature=1)
    found, _ = judged(stage, rows, lambda p: Reply(draws(p)[0], data={"texts": draws(p)}))
    means = [[pytest.approx(sum(line["scores"]) / 3)] for line in lines]
    assert found["judge_score"] == means and sum(e[0] > 0 for e in found["judge_score_entropy"]) == 181
    three = {f"draw{k}": (lambda p, k=k: draws(p)[k]) for k in range(3)}
    panelled = panel(JudgePanel(judges=tuple(three), of="candidates", high=5, reason=True), rows, **three)
    assert panelled["panel_score"] == means
    table = pa.table({"panel_score_by_judge": pa.array(panelled["panel_score_by_judge"])})
    facts = DiagnosePanel(of="candidates").sink(TableFrame(table), FakeContext({}))
    assert facts["alpha"] == pytest.approx(0.871, abs=1e-3) and facts["low"] < 0.871 < facts["high"]
    nominal = DiagnosePanel(of="candidates", level="nominal", draws=0).sink(TableFrame(table), FakeContext({}))
    assert nominal["alpha"] == pytest.approx(0.535, abs=1e-3)
