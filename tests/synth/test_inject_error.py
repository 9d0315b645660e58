"""Errors put into right solutions: every check, the rows in full, corrections that set in after the error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.synth.inject_error import InjectError
from rather.synth.injecting import ERRORS, pieces_of

from .scripted import Script, ran, real_pairs, row_of

CLEAN = "Tom has 3 bags of 4 nuts.\nThat is 3 * 4 = 12 nuts.\nHe eats 2, so 10 are left.\n#### 10"
ROW = row_of("Tom has 3 bags of 4 nuts and eats 2. How many are left?", chosen=CLEAN, reference="10")
AT, KIND = 2, "execution"


def stage(**options: Any) -> InjectError:
    return InjectError(verifier="number", kinds=(KIND,), **options)


def row_at(step: int) -> dict[str, Any]:
    """A row whose own chance picks this step (from 1): the step is read off the request."""
    for k in range(200):
        row = ROW | {"id": f"row{k}"}
        _, model = ran(stage(tries=1), row, [("Reply with JSON", "none")])
        if f"Step: {step}\n" in model.asked[0]:
            return row
    raise AssertionError("no row")


def told(**changed: Any) -> str:
    return json.dumps({
        "mistake_step": AT, "mistake_type": KIND, "mistake_description": "3 * 4 is 12, not 14.", "wrong_answer": "12",
        "steps": ["That is 3 * 4 = 14 nuts.", "He eats 2, so 12 are left.", "#### 12"],
    } | changed)  # fmt: skip


SPOILT = "Tom has 3 bags of 4 nuts.\nThat is 3 * 4 = 14 nuts.\nHe eats 2, so 12 are left.\n#### 12"
LABELS = [
    {"text": "Tom has 3 bags of 4 nuts.", "label": True}, {"text": "That is 3 * 4 = 14 nuts.", "label": False},
    {"text": "He eats 2, so 12 are left.", "label": None}, {"text": "#### 12", "label": None},
]  # fmt: skip


def test_a_spoilt_solution_in_full() -> None:
    row = row_at(AT)
    [found], model = ran(stage(), row, [("Step: 2", told())])
    params = '{"step":2,"strength":"clear","type":"execution"}'
    origin = {"stage": "synth.inject_error", "method": "injected", "params": params, "model": "scripted", "seed": 7}
    assert found == {
        "row_kind": "injected", "chosen": row["chosen"], "verdict": "prefer", "steps": LABELS,
        "rejected": {"text": SPOILT, "turns": None, "image": None, "model": "scripted", "made_by": origin},
        "mistake_step": 2, "mistake_type": "execution", "mistake_description": "3 * 4 is 12, not 14.",
        "wrong_answer": "12", "flawed": "Tom has 3 bags of 4 nuts.\nThat is 3 * 4 = 14 nuts.",
        "judged_margin": None,
    }  # fmt: skip
    assert len(model.asked) == 1 and stage().calls_a_row() == 2
    assert "2. That is 3 * 4 = 12 nuts." in model.asked[0] and "must differ from 10" in model.asked[0]
    assert ERRORS["execution"] in model.asked[0]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (told(mistake_step=3), "another error than the one asked for"),
        (told(mistake_type="planning"), "another error than the one asked for"),
        (told(steps=["That is  3 * 4 = 12 nuts.", "#### 12"]), "the step was not changed"),
        (told(steps=[]), "the step was not changed"),
        (told(steps=["That is 3 * 4 = 14.", "But 10 are left.", "#### 10"]), "the error does not change the answer"),
        (told(steps=["Who knows."], wrong_answer="11"), "the wrong answer is not the one reached"),
        (told(wrong_answer="13"), "the wrong answer is not the one reached"),
        ("Here is the error.", "inject: unparsable"),
        (Reply("I'm sorry, I can't.", "refusal"), "inject: refused"),
    ],
)
def test_what_is_not_the_error_asked_for_is_refused(reply: Any, reason: str) -> None:
    """Only an error at the step asked for that changes the final answer counts: kept only if it reports that step."""
    found, _ = ran(stage(tries=1), row_at(AT), [("Step: 2", reply)])
    assert found == Drop(reason, {"step": 2, "kind": "execution"})


def test_a_second_try_may_do() -> None:
    [found], model = ran(stage(tries=2), row_at(AT), [("Step: 2", [told(mistake_step=1), told()])])
    assert found["rejected"]["made_by"]["seed"] == 8 and len(model.asked) == 2


def rating(text: str, points: str) -> tuple[list[str], str]:
    return (["from 1 (useless", f"# Answer\n{text}"], points)


def spoilt(n: int) -> str:
    """Nuts in all by the spoilt step; two fewer are left."""
    steps = [f"That is 3 * 4 = {n} nuts.", f"He eats 2, so {n - 2} are left.", f"#### {n - 2}"]
    return told(steps=steps, wrong_answer=str(n - 2))


DEGREES = [("hard to see", spoilt(13)), ("careful reader", spoilt(14)), ("plain to see", spoilt(99))]
MARKS = {13: "8", 14: "4", 99: "1"}
RATINGS = [rating(CLEAN, "9")]
RATINGS += [rating(f"Tom has 3 bags of 4 nuts.\nThat is 3 * 4 = {n}", mark) for n, mark in MARKS.items()]


@pytest.mark.parametrize(
    ("first", "band", "n", "strength", "margin"),
    [
        ("gross", (4, 6), 14, "clear", 5.0),
        ("clear", (0.5, 2), 13, "subtle", 1.0),
        ("subtle", (4, 6), 14, "clear", 5.0),
        ("clear", (7, 9), 99, "gross", 8.0),
    ],
)
def test_a_margin_is_aimed_at(first: Any, band: Any, n: int, strength: str, margin: float) -> None:
    """An error too plain is followed by one harder to see, one hardly seen by a plainer one."""
    aimed = stage(strength=first, target_margin=band, judge="judge")
    [found], model = ran(aimed, row_at(AT), [*RATINGS, *DEGREES])
    assert f"= {n} nuts" in found["rejected"]["text"] and found["judged_margin"] == margin
    assert found["mistake_step"] == AT and found["wrong_answer"] == str(n - 2)
    params = json.loads(found["rejected"]["made_by"]["params"])
    assert params == {
        "step": 2, "type": "execution", "strength": strength, "target": list(band), "margin": margin, "tries": 2,
    }  # fmt: skip
    assert found["rejected"]["made_by"]["seed"] == 8
    assert len(model.asked) == 5 == aimed.calls_a_row()


def test_a_margin_out_of_reach_drops_the_row() -> None:
    aimed = stage(target_margin=(2, 3), judge="judge", tries=2)
    far, _ = ran(aimed, row_at(AT), [*RATINGS, *DEGREES])
    assert far == Drop("margin out of reach", {"margin": 1.0, "strength": "subtle"})
    unsound, _ = ran(aimed, row_at(AT), [*RATINGS, ("Step: 2", told(mistake_step=1))])
    assert unsound == Drop("another error than the one asked for", {"step": 2, "kind": "execution"})
    unrated, model = ran(aimed, row_at(AT), [rating(CLEAN, "good")])
    assert unrated.reason == "rate: unparsable" and not any("Step: 2" in text for text in model.asked)
    assert len(stage(target_margin=(3, 2)).faults()) == 2
    both = stage(target_margin=(4, 6), judge="judge", emit="both", markers=("Wait",))
    script = [*RATINGS, ("What a checker found", "all is 12.\n#### 10"), *DEGREES]
    assert [row["judged_margin"] for row in ran(both, row_at(AT), script)[0]] == [5.0, None]


def test_without_a_reference_the_solutions_own_end_counts() -> None:
    row = row_at(AT) | {"reference": None}
    [found], _ = ran(stage(), row, [("Step: 2", told())])
    assert found["rejected"]["text"] == SPOILT
    dropped, _ = ran(InjectError(), row_of("Why?", chosen=" ...\n ???"), [])
    assert dropped == Drop("the solution has no final answer")
    single, _ = ran(stage(), row_of("Why?", chosen="Because 4."), [])
    assert single == Drop("a single step")


def corrections(until: str, said: Any) -> Script:
    return [("What a checker found", said), ("Step: 2", told())]


def test_corrections_begin_with_the_error() -> None:
    said = "3 times 4 is 12, not 14. He eats 2, so 10 are left.\n#### 10"
    options = stage(emit="corrections", markers=("Wait",))
    [found], model = ran(options, row_at(AT), corrections("error", said))
    assert found["row_kind"] == "correction" and found["rejected"]["text"] == SPOILT
    assert found["chosen"]["text"] == f"Tom has 3 bags of 4 nuts.\nThat is 3 * 4 = 14 nuts.\nWait, {said}"
    assert found["rejected"]["text"].startswith(found["flawed"]) and found["chosen"]["text"].startswith(found["flawed"])
    assert found["chosen"]["made_by"]["method"] == "correction"
    assert "3 * 4 is 12, not 14." in model.asked[1] and "14 nuts.\n\n#" in model.asked[1]
    both, _ = ran(stage(emit="both", markers=("Wait",)), row_at(AT), corrections("error", f"Wait, {said}"))
    assert [one["row_kind"] for one in both] == ["injected", "correction"]
    assert both[1]["chosen"]["text"] == found["chosen"]["text"], "the marker stands once"


def test_corrections_may_set_in_after_the_wrong_answer() -> None:
    options = stage(emit="corrections", until="answer", markers=("But",))
    [found], model = ran(options, row_at(AT), corrections("answer", "3 * 4 is 12.\n#### 10"))
    assert found["chosen"]["text"] == f"{SPOILT}\nBut, 3 * 4 is 12.\n#### 10" and found["flawed"] == SPOILT
    assert "#### 12" in model.asked[1]


def test_a_correction_must_be_right() -> None:
    options = stage(emit="corrections", tries=2)
    wrong, _ = ran(options, row_at(AT), corrections("error", "all is well.\n#### 12"))
    assert wrong == Drop("the correction is not right", {"step": 2, "kind": "execution"})
    cut, _ = ran(options, row_at(AT), corrections("error", Reply("3 times", "length")))
    assert cut.reason == "correct: truncated"
    assert options.calls_a_row() == 4


def test_steps_and_kinds_are_spread() -> None:
    seen = set()
    for k in range(80):
        _, model = ran(InjectError(tries=1), ROW | {"id": f"row{k}"}, [("Reply with JSON", "none")])
        text = model.asked[0]
        seen.add((text.split("Step: ")[1][0], text.split("Kind: ")[1].split(" ")[0]))
    assert {step for step, _ in seen} == {"1", "2", "3", "4"} and {kind for _, kind in seen} == set(ERRORS)


def test_pieces_join_to_the_text() -> None:
    for text in (CLEAN, "One line. Two sentences! Three?", "a\n\n b\nc\n", "alone"):
        assert "".join(pieces_of(text)) == text
    assert len(pieces_of("One line. Two sentences! Three?")) == 3 and len(pieces_of("a\n\n b\nc\n")) == 3


def test_real_solutions_are_spoilt(data: Path) -> None:
    for row in real_pairs(data, "gsm8k_solutions.jsonl.gz"):
        _, first = ran(stage(tries=1), row, [("Reply with JSON", "none")])
        at = int(first.asked[0].split("Step: ")[1].split("\n")[0])
        reply = told(mistake_step=at, steps=["So it is 98765.", "#### 98765"], wrong_answer="98765")
        [found], _ = ran(stage(), row, [("Reply with JSON", reply)])
        assert found["mistake_step"] == at and found["rejected"]["text"].endswith("#### 98765")
        assert found["rejected"]["text"].startswith("".join(pieces_of(row["chosen"]["text"])[: at - 1]))
