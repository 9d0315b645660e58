"""What answers teach: accuracies by hand, problems near by, votes, every reply that is no work."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rather.core.errors import CallError
from rather.core.estimates import share
from rather.core.paid import Reply
from rather.filters.apart import Apart
from rather.filters.score_icl_utility import IclUtility
from rather.filters.score_teaching import Teaching
from rather.models.encoders_text import StaticText

from ..judges import Asked, FakeContext, Rule, candidates, judged, pairs

PROBLEMS = [("2+2", "4"), ("3+3", "6"), ("5+5", "10"), ("7 apples and 1", "8 apples")]


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "probes.jsonl"
    path.write_text("\n".join(json.dumps({"prompt": q, "answer": a}) for q, a in PROBLEMS), encoding="utf-8")
    return str(path)


def student(asked: str) -> str:
    """Adds up after a good lesson, after a poor one only the first problem."""
    problem = asked.rsplit("# Problem\n", 1)[1].strip()
    if "good" in asked or (problem == "2+2" and "poor" in asked):
        return f"Let me add.\nThe answer is {dict(PROBLEMS)[problem].split()[0]}."
    return "The answer is 99."


def taught(stage: Any, batch: pa.Table, **models: Rule) -> tuple[dict[str, list[Any]], dict[str, Asked]]:
    """A stage's columns as Python values, and its students."""
    asked = {name: Asked(rule) for name, rule in models.items()}
    found = stage.score(batch, FakeContext({**asked, "static": StaticText()}))
    told = {column.name: column.type for column in stage.columns_written()}
    assert {name: column.type for name, column in found.items()} == told
    return {name: column.to_pylist() for name, column in found.items()}, asked


def test_utility_is_the_students_accuracy_with_its_interval(file: str) -> None:
    rows = candidates(("1+1", ["good", "poor", None]), ("2+2", ["poor"]), ("9", None))
    stage = IclUtility(probes=file, most_probes=3)
    found, asked = taught(stage, rows, student=student)
    perfect, third = share(3, 3), share(1, 3)
    assert found["icl_utility"] == [[1.0, pytest.approx(1 / 3), None], [0.0], None]
    assert found["icl_utility_low"][0][:2] == [perfect.low, third.low] and found["icl_utility_high"][0][1] == third.high
    assert found["icl_utility_outcome"] == [["ok", "ok", None], ["ok"], None]
    assert len(asked["student"].requests) == 9 and stage.calls_a_row() == 24
    last = asked["student"].requests[-1]["messages"][-1]["content"]
    assert "7 apples" in last, "a row's own prompt is no probe of it"
    first = asked["student"].requests[0]["messages"][-1]["content"]
    assert first.index("# Problem\n1+1") < first.index("# Solution\ngood") < first.index("# Problem\n2+2")


def test_a_text_by_itself_and_both_sides_of_a_pair(file: str) -> None:
    stage = IclUtility(probes=file, of="pair", shows="text", column="use", most_probes=2)
    found, asked = taught(stage, pairs(("1+1", "a good question", "poor")), student=student)
    assert found["chosen_use"] == [1.0] and found["rejected_use"] == [0.5] and stage.calls_a_row() == 4
    assert "1+1" not in asked["student"].requests[0]["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("said", "value", "outcome"),
    [
        (Reply("I'm sorry, I can't.", "stop"), 0.0, "ok"),
        (Reply("", "content_filter"), 0.0, "ok"),
        (Reply("The answer", "length"), None, "truncated"),
        (CallError("gone"), None, "failed"),
        ("", None, "unparsable"),
    ],
)
def test_a_refusal_is_wrong_and_no_reply_is_no_mark(file: str, said: Any, value: float | None, outcome: str) -> None:
    found, _ = taught(IclUtility(probes=file, of="chosen"), pairs(("p", "good", "x")), student=lambda _: said)
    assert found["chosen_icl_utility"] == [value] and found["chosen_icl_utility_outcome"] == [outcome]


def test_more_than_half_must_be_sound(file: str) -> None:
    def once(asked: str) -> str | Reply:
        return Reply("", "length") if asked.endswith(("2+2", "3+3")) else student(asked)

    found, _ = taught(IclUtility(probes=file, of="chosen"), pairs(("p", "good", "x")), student=once)
    assert found["chosen_icl_utility"] == [None]
    found, _ = taught(IclUtility(probes=file, of="chosen", most_probes=4), pairs(("2+2", "good", "x")), student=once)
    assert found["chosen_icl_utility"] == [1.0], "two of three"


class OneToFour:
    """The vector of a text is its first digit's angle."""

    def encode(self, texts: list[str]) -> np.ndarray:
        angles = [0.3 * int(next(c for c in text if c.isdigit())) for text in texts]
        return np.array([[np.cos(a), np.sin(a)] for a in angles], np.float32)


def test_teaching_is_the_mean_over_students_and_near_problems(file: str) -> None:
    """The row is nearest to 2+2 and 3+3. The quick student learns from the good, the dull one never."""
    batch = candidates(("2+1", ["good: the answer is 3", "poor: the answer is 4", "poor again, the answer is 4"]))
    stage = Teaching(exams=file, problems=2, students=("quick", "dull"))
    models = {"quick": Asked(student), "dull": Asked(lambda _: "The answer is 99.")}
    found = stage.score(batch, FakeContext({**models, "static": OneToFour()}))
    assert found["teaching"].to_pylist() == [[0.5, 0.25, 0.25]]
    problems = {r["messages"][-1]["content"].rsplit("# Problem\n", 1)[1] for r in models["quick"].requests}
    assert problems == {"2+2", "3+3"} and len(models["dull"].requests) == 6 and stage.calls_a_row() == 8 * 2 * 2
    assert found["teaching_answer"].to_pylist() == ["3"], "0.5 against 0.25 twice: of equal sums the first given"
    alone = Teaching(exams=file, problems=1, students="quick").score(
        batch, FakeContext({**models, "static": OneToFour()})
    )
    assert alone["teaching"].to_pylist() == [[1.0, 1.0, 1.0]] and alone["teaching_answer"].to_pylist() == ["4"]


def test_correctness_is_weighed_where_it_is_known(file: str) -> None:
    batch = candidates(("1+1", ["good, so 2", "poor, so 3"]), ("1+2", ["good, so 3"]), reference=["2", None])
    stage = Teaching(exams=file, reference="reference", correct_weight=0.25, problems=4)
    found, _ = taught(stage, batch, student=student)
    assert found["teaching"] == [[1.0, 0.25], [1.0]]
    assert found["teaching_correct"] == [[True, False], [None]]
    assert found["teaching_combined"] == [[pytest.approx(1.0), pytest.approx(0.75 * 0.25)], [None]]
    assert "teaching_correct" not in {c.name for c in Teaching(exams=file).columns_written()}


def test_intervals_must_lie_apart() -> None:
    batch = pa.table({"chosen_s_low": [0.6, 0.5, None], "rejected_s_high": [0.5, 0.5, 0.1]})
    assert Apart(score="s").why_drop(batch).to_pylist() == [None, "intervals overlap", "no interval"]
    assert IclUtility(probes="a.csv").faults() and Teaching(exams="a.txt").faults()


def test_real_problems(data: Path, tmp_path: Path) -> None:
    """Worked solutions of real problems as lessons, real problems as exams, the nearest by real vectors."""
    with gzip.open(data / "preferences" / "gsm8k_solutions.jsonl.gz", "rt") as lines:
        rows = [json.loads(next(lines)) for _ in range(12)]
    path = tmp_path / "exams.jsonl"
    path.write_text("\n".join(json.dumps({"prompt": r["prompt"], "answer": r["chosen"]}) for r in rows))
    batch = candidates(*((row["prompt"], [row["chosen"], row["rejected"]]) for row in rows[:3]))
    known = {row["prompt"].strip(): row["chosen"] for row in rows}
    found, asked = taught(
        Teaching(exams=str(path)), batch, student=lambda p: known[p.rsplit("# Problem\n", 1)[1].strip()]
    )
    assert found["teaching"] == [[1.0, 1.0]] * 3
    own = [r["messages"][-1]["content"].count(rows[0]["prompt"]) for r in asked["student"].requests[:8]]
    assert own == [1] * 8, "its own problem is shown once, as the lesson, and never set"


def test_judged_stages_share_the_same_fake(file: str) -> None:
    found, _ = judged(IclUtility(probes=file, student="judge", of="chosen"), pairs(("p", "good", "b")), student)
    assert found["chosen_icl_utility"] == [1.0]
