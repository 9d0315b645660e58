"""Diagnoses of made rubrics and made records: shares and correlations by hand, nothing where there is nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rather.core.errors import InputError
from rather.core.row import text_answers
from rather.filters.consistent_rubric import ConsistentRubric
from rather.filters.diagnose_mimicry import Mimicry, correlation
from rather.filters.diagnose_rubrics import Rubrics

from ..frames import OddFrame, SinkContext, TableFrame


def checked(rows: list[tuple[str | None, int, int, float | None]]) -> pa.Table:
    """Rows of (consistency, words of chosen, words of rejected, margin)."""
    said, chosen, rejected, margin = (list(column) for column in zip(*rows, strict=True))
    return pa.table(
        {
            "consistency": pa.array(said, pa.string()),
            "chosen": text_answers(pa.array(["word " * n for n in chosen])),
            "rejected": text_answers(pa.array(["word " * n for n in rejected])),
            "margin": pa.array(margin, pa.float64()),
        }
    )


def values(facts: Any) -> dict[str, float | None]:
    return {line["measure"]: line["value"] for line in facts["measures"]}


def test_pitfall_the_check_keeps_easy_pairs() -> None:
    table = checked(
        [
            ("pass", 12, 10, 0.1), ("pass", 20, 10, -3.0), ("fail", 30, 10, 0.2),
            ("pass", 10, 10, 0.9), ("fail", 11, 10, 0.3), ("fail", 5, 10, 0.4), ("parse_error", 1, 10, 2.0),
            (None, 9, 9, 5.0), ("fail", 10, 10, None),
        ]
    )  # fmt: skip
    facts = Rubrics().sink(OddFrame(table, 2), SinkContext("."))
    assert facts["rows"] == 9 and facts["outcomes"] == {"fail": 4, "pass": 3, "parse_error": 1}
    assert values(facts) == {
        "rubrics that pass": 0.375, "that pass, chosen longer": 0.6667, "that pass, of like length": 0.3333,
        "that pass, chosen shorter": 0.0, "that pass, smallest third of |margin|": 0.3333,
        "that pass, middle third of |margin|": 0.5, "that pass, largest third of |margin|": 0.5,
    }  # fmt: skip
    assert Rubrics(margin="none").sink(TableFrame(table), SinkContext("."))["measures"][-1]["value"] == 0.0


def test_pitfall_a_pass_rate_that_follows_length_is_told() -> None:
    """Pitfall: a rubric that only says "longer" passes where chosen is longer, and only there."""
    longer = [("pass", 30, 10, None)] * 40 + [("fail", 10, 30, None)] * 40
    even = [("pass", 30, 10, None)] * 40 + [("pass", 10, 30, None)] * 40
    readings = [
        Rubrics().sink(TableFrame(checked(rows)), SinkContext("."))["measures"][1]["reading"] for rows in (longer, even)
    ]
    assert readings == ["length helps to pass", "no lean to length seen"]
    with pytest.raises(InputError, match="no column consistency"):
        Rubrics().sink(TableFrame(pa.table({"x": [1]})), SinkContext("."))
    nothing = Rubrics().sink(TableFrame(checked([("pass", 1, 1, None)]).slice(0, 0)), SinkContext("."))
    assert nothing["rows"] == 0 and nothing["measures"][0]["value"] is None


def test_pitfall_rubrics_that_did_not_pass_go_no_further() -> None:
    batch = pa.table({"consistency": pa.array(["pass", "fail", "parse_error", None])})
    assert ConsistentRubric().why_drop(batch).to_pylist() == [
        None, "rubric: fail", "rubric: parse_error", "rubric: not checked",
    ]  # fmt: skip
    assert ConsistentRubric().why_drop(batch.slice(0, 0)).to_pylist() == []


def test_fidelity_and_privacy_of_made_records() -> None:
    """Lengths 4, 6, 8 and 10 for 5, 5, 10 and 10: r = 4 / √20 = 0.8944; marks agree in full."""
    made, real = [4, 6, 8, 10], [5, 5, 10, 10]
    table = pa.table(
        {
            "chosen": text_answers(pa.array(["word " * n for n in made])),
            "mimic_cosine": [0.2, 0.4, 0.6, 0.8], "mimic_overlap": [0.0, 0.0, 0.1, 0.1], "mimic_run": [1, 2, 3, 9],
            "mimic_length_ratio": [m / r for m, r in zip(made, real, strict=True)],
            "grade": [1.0, 2.0, 3.0, None], "chosen_judge_score": [3.0, 5.0, 7.0, 9.0],
            "personal_data_found": pa.array([0, 2, 1, 0], pa.int32()),
        }
    )  # fmt: skip
    facts = Mimicry(mark="grade").sink(TableFrame(table), SinkContext("."))
    assert facts["rows"] == 4 and facts["personal_data"] == 3
    assert values(facts) == {
        "likeness in topic, mean cosine": 0.5, "likeness in topic, the nearest record": 0.8,
        "shared n-grams, mean share": 0.05, "longest shared run of words": 9.0,
        "lengths follow the real ones (r)": 0.8944, "marks follow the real ones (r)": 1.0,
    }  # fmt: skip
    assert "marks follow the real ones (r)" not in values(Mimicry().sink(TableFrame(table), SinkContext(".")))
    assert np.isnan(correlation(np.array([1.0, 1, 1]), np.array([1.0, 2, 3])))
    empty = Mimicry().sink(TableFrame(table.slice(0, 0)), SinkContext("."))
    assert empty["rows"] == 0 and set(values(empty).values()) == {None}
    with pytest.raises(InputError, match="no column mimic_cosine"):
        Mimicry().sink(TableFrame(table.select(["chosen"])), SinkContext("."))
