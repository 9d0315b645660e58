"""VISCO's measures, by hand and on rows; what a judge cannot say is left out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rather.core.row import COLUMNS, text_messages
from rather.filters.diagnose_visco import DiagnoseVisco
from rather.filters.visco import correction_gain, f1_of_wrong, viscore

from ..frames import TableFrame
from ..judges import Asked, FakeContext

T, F = True, False


def test_f1_is_on_the_wrong_ones() -> None:
    said, right = np.array([F, F, T, T]), np.array([F, T, F, T])
    assert f1_of_wrong(said, right) == pytest.approx(2 * 1 / (2 + 1 + 1))
    assert f1_of_wrong(np.array([T, T, T]), np.array([T, T, F])) == 0, "never saying no finds nothing"
    assert math.isnan(f1_of_wrong(np.array([T]), np.array([T])))
    both = np.array([F, F]), np.array([F, F])
    assert f1_of_wrong(*both) == 1 and f1_of_wrong(*both, np.array([T, F])) == pytest.approx(2 / (2 + 1 + 1))


def test_viscore_is_a_geometric_mean() -> None:
    assert viscore(0.5, 0.5, 0.5) == pytest.approx(0.5) and viscore(1, 0.8, 0) == 0
    assert viscore(0.4, 0.6, 0.9) == pytest.approx((0.4 * 0.6 * 0.9) ** (1 / 3))


def test_correcting_may_break_what_was_right() -> None:
    before, after = np.array([F, F, T, T, T, T]), np.array([T, F, T, T, T, F])
    assert correction_gain(before, after) == (0.5, 0.25, 0.25)
    assert math.isnan(correction_gain(np.array([T]), np.array([T]))[2])


ROWS = [  # result, its verdict, steps' truth, their labels, the critic's reasons, people's, after correction
    (F, "wrong", [F, T], [F, F], ["four cups", "x"], [["there are four"], []], T),
    (F, "right", [T, F], [T, F], ["", "colour"], [[], ["they are blue", None]], F),
    (T, "right", [T, T], [T, T], ["", ""], [[], []], F),
    (T, "right", [T], [T, T], ["", ""], [[], []], T),
    (None, "right", [T], [T], [""], [[]], T),
]


def frame() -> TableFrame:
    right, said, truth, labels, reasons, known, after = (list(column) for column in zip(*ROWS, strict=True))
    steps = [[{"text": f"s{k}", "label": label} for k, label in enumerate(row)] for row in labels]
    return TableFrame(pa.table({
        "prompt": text_messages(pa.array(["how many?"] * len(ROWS))), "critique_verdict": pa.array(said),
        "steps": pa.array(steps, COLUMNS["steps"]), "step_reasons": pa.array(reasons),
        "answer_correctness": pa.array(right),
        "reasoning_correctness": pa.array(truth), "reasoning_critic": pa.array(known), "fixed": pa.array(after),
    }))  # fmt: skip


def told(stage: DiagnoseVisco, **models: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    facts = dict(stage.sink(frame(), FakeContext(models)))  # type: ignore[arg-type]
    return facts, {line["measure"]: line["value"] for line in facts.pop("measures")}


def test_figures_of_three_critiques() -> None:
    facts, found = told(DiagnoseVisco(corrected="fixed"))
    assert facts == {"critiques": 3, "mismatched": 2}
    assert found["F1 of wrong results"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["F1 of wrong steps"] == pytest.approx(0.8), "two found, one called wrong that follows an error"
    assert found["F1 of wrong steps before any error"] == 1 and found["F1 of wrong steps after an error"] == 0
    assert (found["wrong recovered"], found["right broken"], found["correction"]) == (0.5, 1, -0.5)
    assert "VISCore" not in found and "reasoning_critic" not in DiagnoseVisco().columns_read()


def test_explanations_are_judged_where_both_say_wrong() -> None:
    judge = Asked(lambda text: "yes" if "four cups" in text else "no")
    facts, found = told(DiagnoseVisco(judge="judge"), judge=judge)
    assert len(judge.requests) == 2 and facts["explanations_unread"] == 0
    assert found["F1 of explanations"] == pytest.approx(2 / (2 + 2 + 1)), "one found, two false calls, one missed"
    assert found["VISCore"] == pytest.approx(((2 / 3) * 0.8 * 0.4) ** (1 / 3), abs=1e-4)


def test_a_reply_without_a_verdict_is_left_out() -> None:
    facts, found = told(DiagnoseVisco(judge="judge"), judge=Asked(lambda text: "yes" if "four cups" in text else "hm"))
    assert facts["explanations_unread"] == 1
    assert found["F1 of explanations"] == pytest.approx(2 / (2 + 1), abs=1e-4)


def test_nothing_to_measure() -> None:
    empty = TableFrame(frame().rows.slice(0, 0))
    facts = DiagnoseVisco().sink(empty, FakeContext({}))  # type: ignore[arg-type]
    assert facts["critiques"] == 0 and all(line["value"] is None for line in facts["measures"])
