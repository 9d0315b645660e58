"""Solutions that end wrong, by sampling, carrying on and insertion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rather.core.errors import CallError
from rather.core.stage import Drop
from rather.synth.flawed_paths import FlawedPaths

from .scripted import ran, real_pairs, row_of

CLEAN = "Three bags of 4 are 12.\n12 - 2 is 10.\n#### 10"
ROW = row_of("3 bags of 4 nuts, 2 eaten. How many are left?", chosen=CLEAN)
ON = "Beginning of a solution"
INSERT = "Reply with JSON"


def stage(*ways: Any, **options: Any) -> FlawedPaths:
    return FlawedPaths(ways=ways, verifier="number", **({"samples": 1} | options))


def test_a_plain_sample_that_is_wrong() -> None:
    [found], model = ran(stage("sample"), ROW, [("3 bags", "3 + 4 = 7.\n7 - 2 = 5.\n#### 5")])
    origin = {"stage": "synth.flawed_paths", "method": "sample", "params": '{"right_steps":0}', "model": "scripted"}
    steps = [{"text": text, "label": None} for text in ("3 + 4 = 7.", "7 - 2 = 5.", "#### 5")]
    assert found == {
        "chosen": ROW["chosen"], "verdict": "prefer", "flaw": "sample", "steps": steps, "right_steps": 0,
        "mistake_step": None, "mistake_type": None, "mistake_description": None,
        "rejected": {"text": "3 + 4 = 7.\n7 - 2 = 5.\n#### 5", "turns": None, "image": None, "model": "scripted",
                     "made_by": origin | {"seed": 7}},
    }  # fmt: skip
    assert len(model.asked) == 1 == stage("sample").calls_a_row()


def test_a_beginning_is_carried_on_and_what_was_kept_is_right() -> None:
    """Continuing from a step by chance tells where the error cannot be."""
    kept = {}
    for k in range(12):
        [found], model = ran(stage("continue"), ROW | {"id": f"row{k}"}, [(ON, "12 - 2 is 9.\n#### 9")])
        n = found["right_steps"]
        kept[n] = [step["label"] for step in found["steps"]]
        assert found["rejected"]["text"] == "\n".join([*CLEAN.split("\n")[:n], "12 - 2 is 9.", "#### 9"])
        assert found["mistake_step"] is None and "#### 10" not in model.asked[0]
    assert kept == {1: [True, None, None], 2: [True, True, None, None]}


def test_a_repeated_beginning_stands_once() -> None:
    reply = "Three bags of 4 are 12.\n12 - 2 is 9.\n#### 9"
    row = next(
        ROW | {"id": f"row{k}"}
        for k in range(30)
        if ran(stage("continue"), ROW | {"id": f"row{k}"}, [(ON, "9")])[0][0]["right_steps"] == 1
    )
    [found], _ = ran(stage("continue"), row, [(ON, reply)])
    assert found["rejected"]["text"] == reply


def inserted(text: str) -> str:
    step = int(text.split("Step: ")[1].split("\n")[0])
    kind = text.split("Kind: ")[1].split(" ")[0]
    return json.dumps({
        "mistake_step": step, "mistake_type": kind, "steps": ["It is 8.", "#### 8"], "wrong_answer": "8",
        "mistake_description": "Not 8.",
    })  # fmt: skip


def test_an_inserted_error_has_a_place_and_a_kind() -> None:
    _, first = ran(stage("insert"), ROW, [(INSERT, "none")])
    reply = inserted(first.asked[0])
    [found], _ = ran(stage("insert"), ROW, [(INSERT, reply)])
    at = found["mistake_step"]
    assert found["flaw"] == "insert" and found["right_steps"] == at - 1 and found["mistake_description"] == "Not 8."
    assert found["mistake_type"] in ("representation", "planning", "execution")
    assert [step["label"] for step in found["steps"]] == [True] * (at - 1) + [False, None]


def test_right_ones_cut_ones_and_repeats_are_no_paths() -> None:
    replies = ["so 5", "so 5", "it is 10", "I'm sorry, I can't."]
    found, model = ran(stage("sample", samples=4), ROW, [("3 bags", replies)])
    assert [one["rejected"]["text"] for one in found] == ["so 5"] and found[0]["rejected"]["made_by"]["seed"] == 7
    assert len(model.asked) == 4
    script = [(ON, "#### 10"), (INSERT, "none"), ("3 bags", "#### 10")]
    none, _ = ran(stage("sample", "continue", "insert"), ROW, script)
    assert none == Drop("no flawed path", {"attempts": 3})


def test_reasons_and_faults() -> None:
    assert ran(stage("sample"), ROW | {"chosen": {"text": "?\n?"}}, [])[0] == Drop("the solution has no final answer")
    alone, model = ran(stage("continue"), ROW | {"chosen": {"text": "It is 10"}}, [])
    assert alone.reason == "no flawed path" and model.asked == []
    assert FlawedPaths(prompts="flawed").faults()
    with pytest.raises(CallError, match="down"):
        ran(stage("insert"), ROW, [(INSERT, CallError("down"))])


def test_all_three_ways_on_real_solutions(data: Path) -> None:
    for row in real_pairs(data, "gsm8k_solutions.jsonl.gz"):
        worse = row["rejected"]["text"]
        _, first = ran(stage("insert"), row, [(INSERT, "none")])
        script = [(INSERT, inserted(first.asked[0])), (ON, "So it is 98765."), (row["prompt"][0]["content"], worse)]
        found, model = ran(stage("sample", "continue", "insert"), row, script)
        assert {"sample", "continue"} <= {one["flaw"] for one in found} and len(model.asked) == 3
        assert all(one["chosen"] == row["chosen"] for one in found)
