"""Solutions that end wrong, by sampling, carrying on and insertion."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rather.core.errors import CallError
from rather.core.stage import Drop
from rather.synth.flawed_paths import FlawedPaths

from .scripted import ran, row_of

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
        "mistake_step": None, "mistake_type": None, "mistake_description": None, "judged_margin": None,
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


def rating(text: str, points: str) -> tuple[list[str], str]:
    return (["from 1 (useless", f"# Answer\n{text}"], points)


def degrees(text: str) -> list[tuple[list[str], str]]:
    """Errors of each degree at the step the request names; the result tells them apart."""
    step = int(text.split("Step: ")[1].split("\n")[0])
    said = []
    for degree, n in (("hard to see", 9), ("careful reader", 7), ("plain to see", 80)):
        for kind in ("representation", "planning", "execution"):
            reply = {"mistake_step": step, "mistake_type": kind, "steps": [f"#### {n}"], "wrong_answer": str(n)}
            said.append(([degree, f"Kind: {kind}"], json.dumps(reply | {"mistake_description": "No."})))
    return said


@pytest.mark.parametrize(
    ("first", "band", "n", "strength", "margin"),
    [
        ("gross", (4, 6), 7, "clear", 5.0),
        ("clear", (0.5, 2), 9, "subtle", 1.0),
        ("subtle", (4, 6), 7, "clear", 5.0),
        ("clear", (7, 9), 80, "gross", 8.0),
    ],
)
def test_inserted_errors_are_aimed_at_a_margin(first: Any, band: Any, n: int, strength: str, margin: float) -> None:
    """An error too plain is followed by one harder to see, one hardly seen by a plainer one."""
    _, seen = ran(stage("insert"), ROW, [(INSERT, "none")])
    lines = CLEAN.splitlines(keepends=True)
    marks = [rating(CLEAN, "9")]
    for kept in ("".join(lines[:k]) for k in range(len(lines))):
        marks += [rating(f"{kept}#### {end}", points) for end, points in ((9, "8"), (7, "4"), (80, "1"))]
    aimed = stage("insert", strength=first, target_margin=band, judge="judge")
    [found], model = ran(aimed, ROW, [*marks, *degrees(seen.asked[0])])
    assert found["rejected"]["text"].endswith(f"#### {n}") and found["judged_margin"] == margin
    params = json.loads(found["rejected"]["made_by"]["params"])
    assert (params["strength"], params["target"], params["margin"]) == (strength, list(band), margin)
    assert found["rejected"]["made_by"]["seed"] == 8 and len(model.asked) == 5 <= aimed.calls_a_row() == 7


def test_paths_that_cannot_be_aimed_fit_or_go() -> None:
    marks = [rating(CLEAN, "9"), rating("so 5", "4"), rating("so 6", "8")]
    aimed = stage("sample", samples=2, target_margin=(4, 6), judge="judge")
    [found], model = ran(aimed, ROW, [*marks, ("3 bags", ["so 5", "so 6"])])
    assert found["rejected"]["text"] == "so 5" and found["judged_margin"] == 5.0
    assert json.loads(found["rejected"]["made_by"]["params"]) == {"right_steps": 0, "target": [4, 6], "margin": 5.0}
    assert len(model.asked) == 5 == aimed.calls_a_row()
    far, _ = ran(aimed, ROW, [*marks, ("3 bags", ["it is 10", "so 6"])])
    assert far == Drop("margin out of reach", {"margin": 1.0, "strength": "clear"})
    none, _ = ran(aimed, ROW, [*marks, ("3 bags", "it is 10")])
    assert none == Drop("no flawed path", {"attempts": 2})
    assert len(FlawedPaths(target_margin=(3, 2)).faults()) == 2


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
