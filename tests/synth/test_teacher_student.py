"""Teacher and student: planted errors, feedback that finds them, pairs by recall."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.synth.teacher_student import TeacherStudent, planted

from .scripted import Scripted, ran, real_pairs, row_of, texts

ROW = row_of("Plants make sugar from light, water and carbon dioxide.")
WORK = "Plants eat soil. They make sugar from oxygen. At night they do too."
ERRORS = [
    {"span": "make sugar from oxygen", "type": "concept", "note": "It is carbon dioxide."},
    {"span": "Plants eat soil", "type": "concept", "note": "They do not."},
    {"span": "Plants drink", "type": "none", "note": "Not in the work."},
    {"span": "Plants eat soil", "type": "again", "note": "The same place."},
    {"span": " ", "type": "none", "note": "Nothing."},
    {"span": "At night they do too", "type": "claim", "note": "Light is needed."},
]
SHARP, KIND = "Soil is no food, oxygen is wrong, and night has no light.", "Well done, write more."


def found(*addressed: bool) -> str:
    return json.dumps({"items": [{"number": k, "addressed": hit} for k, hit in enumerate(addressed, 1)]})


def script(**said: Any) -> list[Any]:
    return [
        ("Set one assignment", said.get("assignment", "Explain how plants feed.")),
        ("You play a student", said.get("work", json.dumps({"work": WORK, "errors": ERRORS}))),
        (["You check which errors", SHARP], said.get("sharp", found(True, True, True))),
        ("You check which errors", said.get("kind", found(False, True, False))),
        ("Your feedback:", said.get("feedback", [SHARP, KIND])),
    ]


def test_the_row_in_full() -> None:
    stage = TeacherStudent(samples=2)
    [row], model = ran(stage, ROW, script())
    spans = [
        {"start": 0, "end": 15, "kind": "concept", "severity": None, "comment": "They do not."},
        {"start": 22, "end": 44, "kind": "concept", "severity": None, "comment": "It is carbon dioxide."},
        {"start": 46, "end": 66, "kind": "claim", "severity": None, "comment": "Light is needed."},
    ]
    asked = texts(row).pop("prompt")
    assert texts(row) | {"prompt": ""} == {
        "prompt": "", "chosen": SHARP, "rejected": KIND, "verdict": "prefer", "submission": WORK, "spans": spans,
        "assignment": "Explain how plants feed.", "chosen_recall": 1.0, "rejected_recall": pytest.approx(1 / 3),
        "margin": pytest.approx(2 / 3),
    }  # fmt: skip
    assert WORK in asked and "Explain how plants feed." in asked and "carbon dioxide" not in asked
    assert [WORK[s["start"] : s["end"]] for s in spans] == [e["span"] for e in (ERRORS[1], ERRORS[0], ERRORS[5])]
    assert len(model.asked) == 6 == stage.calls_a_row() and row["rejected"]["made_by"]["seed"] == 8


def test_the_hidden_list_never_reaches_the_teacher() -> None:
    """Pitfall: a teacher who sees the planted errors is not measured by finding them."""
    teacher, student = Scripted(script(), "teacher"), Scripted(script(), "student")
    _, judge = ran(TeacherStudent(teacher="t", student="s", samples=2), ROW, script(), t=teacher, s=student)
    assert not any(error["note"] in text for text in teacher.asked for error in ERRORS)
    assert len(teacher.asked) == 3 and len(student.asked) == 1 and len(judge.asked) == 2
    assert '1. "Plants eat soil": They do not.' in judge.asked[0]


def test_errors_that_are_not_in_the_work_are_none() -> None:
    """Pitfall: students forget to err, or only say they did."""
    assert [span["comment"] for span in planted({"work": WORK, "errors": ERRORS})[1]] == [
        "They do not.", "It is carbon dioxide.", "Light is needed.",
    ]  # fmt: skip
    lazy = json.dumps({"work": "All is right.", "errors": ERRORS})
    assert ran(TeacherStudent(), ROW, script(work=lazy))[0] == Drop("too few planted errors", {"planted": 0})


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"assignment": Reply("", "refusal")}, "assignment: refused"),
        ({"work": WORK}, "work: unparsable"),
        ({"feedback": [Reply("So", "length")] * 2}, "no sound feedback"),
        ({"kind": found(True), "sharp": "all"}, "no sound feedback"),
        ({"sharp": found(True, True, False)}, "no feedback addresses enough errors"),
        ({"kind": found(True, True, True)}, "gap below least"),
    ],
)
def test_every_other_end(said: dict[str, Any], reason: str) -> None:
    dropped, _ = ran(TeacherStudent(samples=2), ROW, script(**said))
    assert isinstance(dropped, Drop) and dropped.reason == reason


def test_the_best_feedback_alone() -> None:
    [row], _ = ran(TeacherStudent(emit="best", samples=1), ROW, script())
    assert texts(row)["chosen"] == SHARP and row["rejected"] is row["verdict"] is row["margin"] is None
    assert row["chosen_recall"] == 1.0 and row["rejected_recall"] is None
    told = list(TeacherStudent(samples=1, errors=1).faults())
    assert [line.split(":")[0] for line in told] == [
        "one feedback a work makes no pair", "least_errors (2) is above errors (1)",
    ]  # fmt: skip


def test_real_texts(data: Path) -> None:
    for row in real_pairs(data, "dpo_demo_en.jsonl"):
        [made], model = ran(TeacherStudent(samples=2), row, script())
        assert made["margin"] > 0.5 and row["prompt"][0]["content"][:60] in model.asked[0]
