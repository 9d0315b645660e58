"""Recipes of teaching, hypotheses and feedback rounds: rows end to end, calls as the header says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from .faking import calls, faked, written

SUMS = [(f"What is {a} plus {a}?", str(2 * a)) for a in range(10, 34)]


@pytest.fixture
def problems(tmp_path: Path) -> str:
    """Twenty-four problems with their answers."""
    path = tmp_path / "problems.jsonl"
    path.write_text("\n".join(json.dumps({"prompt": p, "answer": a}) for p, a in SUMS), encoding="utf-8")
    return str(path)


def taught(good: str) -> list[tuple[Any, str]]:
    """Students who are right after a lesson with these words, and wrong after any other."""
    learned = [(["Now solve this one", good, p], f"The answer is {a}.") for p, a in SUMS]
    return [*learned, ("Now solve this one", "The answer is 1.")]


RATIONALES = ["Double it: the answer is 2000.", "Guess: the answer is 7.", "Ask: the answer is 8.", "Wait: it is 9."]


def test_arte(tmp_path: Path, problems: str) -> None:
    script = [*taught("Double it"), ("What is 1000", RATIONALES)]
    rows = {"prompt": ["What is 1000 and 1000?", "What is 1000 times two?"]}
    view = faked("arte", rows, tmp_path, script, f"score.icl_utility.probes={problems}")
    found = written(tmp_path)
    assert {row["chosen"] for row in found} == {RATIONALES[0]} and len(found) == 2
    assert calls(view) == 2 * (4 + 80) and found[0]["chosen_icl_utility"] == 1.0
    assert found[0]["chosen_icl_utility_low"] > found[0]["rejected_icl_utility_high"]


def test_lbt(tmp_path: Path, problems: str) -> None:
    rationales = [*RATIONALES, "Sum: the answer is 10.", "Sleep: it is 11.", "Count: it is 12.", "Add: it is 13."]
    script = [*taught("Double it"), ("What is 1000", rationales)]
    view = faked("lbt", {"prompt": ["What is 1000 and 1000?"]}, tmp_path, script, f"score.teaching.exams={problems}")
    [found] = written(tmp_path)
    assert found["chosen"] == RATIONALES[0] and found["margin"] == 1.0 and found["teaching_answer"] == "2000"
    assert calls(view) == 8 + 2 * 32


def test_helix(tmp_path: Path) -> None:
    script = [
        ("Write one guess", ["It is to be brief.", "It is to be kind.", "It is to be exact."]),
        (["How good is it", "# The answer\nYes"], "9"), (["How good is it", "# The answer\nMaybe"], "5"),
        ("How good is it", "2"),
        ("Is it", ["Yes.", "Maybe.", "No.", "No, never."]),
    ]  # fmt: skip
    view = faked("helix", {"prompt": ["Is it so?", "Is it not so?"]}, tmp_path, script)
    found = written(tmp_path)
    assert {(row["chosen"], row["rejected"]) for row in found} == {("Yes.", "No.")} and calls(view) == 2 * 19
    assert found[0]["helix_consensus"] and len(found[0]["helix_matrix"]) == 3
    assert view.facts["write.wanted"]["rows"] == {"train": 0}


def test_helix_asks_for_feedback_where_hypotheses_disagree(tmp_path: Path) -> None:
    """Of two prompts one has an answer for those who want it brief and another for those who want it kind."""
    torn = [(["How good is it", "brief", "# The answer\nYes"], "9"), (["How good is it", "kind", "Maybe"], "9")]
    script = [
        ("Write one guess", ["It is to be brief.", "It is to be kind.", "It is to be exact."]),
        (["How good is it", "Is it not so", "# The answer\nYes"], "9"), *torn, ("How good is it", "2"),
        ("Is it", ["Yes.", "Maybe.", "No.", "No, never."]),
    ]  # fmt: skip
    view = faked("helix", {"prompt": ["Is it so?", "Is it not so?"]}, tmp_path, script)
    assert len(written(tmp_path)) == 2 and view.facts["write.wanted"]["rows"] == {"train": 1}
    [row] = pq.read_table(tmp_path / "run" / "wanted" / "data").to_pylist()
    assert "Is it so?" in str(row["prompt"]) and len(row["helix_hypotheses"]) == 3


def test_feedback_friction(tmp_path: Path) -> None:
    script = [
        ("You say why a model", '{"reason": "resisted"}'),
        ("You give feedback", "Add, do not multiply."),
        (["heed the feedback", "10 plus"], "The answer is 20."),
        ("heed the feedback", "The answer is 99."),
        ("What is 11", "The answer is 22."), ("Think step by step", "The answer is 100."),
    ]  # fmt: skip
    rows = {"prompt": [p for p, _ in SUMS[:3]], "reference": [a for _, a in SUMS[:3]]}
    view = faked("feedback-friction", rows, tmp_path, script)
    [found] = written(tmp_path)
    assert (found["chosen"], found["rejected"]) == ("The answer is 20.", "The answer is 100.")
    assert calls(view) == 3 + 1 + (12 - 3), (
        "once solved by feedback, once at once; the third repeats itself, paid for once"
    )
    facts = view.facts["diagnose.feedback_friction"]
    told = {line["measure"]: line["value"] for line in facts["measures"]}
    assert facts["rows"] == 3 and facts["accuracy"] == [0.3333, 0.6667, 0.6667, 0.6667, 0.6667, 0.6667]
    assert told["uptake@1"] == told["uptake@5"] == 0.5 and told["never solved: resisted"] == 1.0


@pytest.mark.parametrize("name", ["helix", "feedback-friction"])
def test_replies_by_chance_break_nothing(tmp_path: Path, name: str) -> None:
    rows = {"prompt": ["What is 2 plus 2?", "What is 3 plus 3?"], "reference": ["4", "6"]}
    view = faked(name, rows, tmp_path, [])
    assert all(count.failed == 0 for count in view.funnel) and view.funnel[0].rows_in == 2
