"""LookBack: what is asked, what is seen, every way it ends; nothing of the reference reaches the critic."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rather.core.stage import Drop
from rather.synth.lookback import Lookback

from ..photos import photo
from .scripted import ran

PICTURE = {"bytes": photo(3), "path": None}
TEXT = "1. There are three cups.\n2. Two of them are blue.\n3. So one is not.\nThe answer is 1"


def row(text: str | None = TEXT, images: Any = (PICTURE,), **more: Any) -> dict[str, Any]:
    message = {"role": "user", "content": "How many cups are not blue?", "parts": None, "tool_calls": None}
    given = {"text": text, "turns": None, "image": None, "model": "m", "made_by": None} if text is not None else None
    return {"id": "r", "prompt": [message], "chosen": given, "images": list(images), "steps": None} | more


def items(*entries: dict[str, Any]) -> str:
    return json.dumps({"items": [{"number": k} | entry for k, entry in enumerate(entries, 1)]})


ASKED = items(
    {"questions": ["How many cups?", "Any plates?", "a third"]}, {"questions": ["Which colours?"]}, {"questions": []}
)
LOOK = "Look at the picture and say"
OK, NO = {"right": True, "why": ""}, {"right": False, "why": "There are four cups."}
SCRIPT = [
    ("write the short questions", ASKED),
    (("How many cups?", LOOK), "Four cups."),
    (("Any plates?", LOOK), "None."),
    (("Which colours?", LOOK), "Two are blue, two red."),
    ("Work it out from the picture", "Four cups, two blue. The answer is 2"),
    ("You criticise an answer about a picture", items(NO, OK, OK, {"right": False, "why": "It is 2."})),
    ("write the answer anew", "Four cups, two blue.\nThe answer is 2"),
]


def test_a_critique_goes_by_what_was_seen() -> None:
    [made], model = ran(Lookback(), row(), SCRIPT)
    assert [step["label"] for step in made["steps"]] == [False, True, True]
    assert made["steps"][0]["text"].startswith("There are three cups")
    assert made["step_reasons"] == ["There are four cups.", "", ""] and made["critique_verdict"] == "wrong"
    assert made["critique"]["text"] == "Step 1: There are four cups.\nThe result: It is 2."
    assert made["lookback"] == [
        {"step": 1, "question": "How many cups?", "seen": "Four cups."},
        {"step": 1, "question": "Any plates?", "seen": "None."},
        {"step": 2, "question": "Which colours?", "seen": "Two are blue, two red."},
    ]
    critic = next(text for text in model.asked if "You criticise" in text)
    assert "About step 1: How many cups? Four cups." in critic and "4. The result: 1" in critic
    assert len(model.asked) == 3 + 3 and "chosen" not in made
    looks = [text for text in model.asked if "Look at the picture and say" in text]
    assert all("three cups" not in text for text in looks), "what the step says is not put before the looking eye"


def test_a_correction_that_the_reference_confirms_is_a_pair() -> None:
    [made], model = ran(Lookback(emit="pairs"), row(reference="2"), SCRIPT)
    assert made["chosen"]["text"].endswith("The answer is 2") and made["rejected"]["text"] == TEXT
    assert made["verdict"] == "prefer" and json.loads(made["chosen"]["made_by"]["params"]) == {"steps": 3, "wrong": 2}
    assert len(model.asked) == 7


def test_no_pair_where_correcting_does_not_help() -> None:
    for reference, why in (("1", "the original is right"), ("5", "the correction is wrong"), (" ", "no reference")):
        found, _ = ran(Lookback(emit="pairs"), row(reference=reference), SCRIPT)
        assert isinstance(found, Drop) and found.reason == why
    fine = [*SCRIPT[:5], ("You criticise", items(OK, OK, OK, OK))]
    found, model = ran(Lookback(emit="pairs"), row(reference="2"), fine)
    assert isinstance(found, Drop) and found.reason == "nothing found wrong" and len(model.asked) == 6
    [made], _ = ran(Lookback(), row(), fine)
    assert made["critique_verdict"] == "right" and made["critique"]["text"] == "Nothing is wrong."


def test_error_propagation_is_not_assumed() -> None:
    """A step after a wrong one keeps its own label, and a right result may follow from a wrong step."""
    [made], _ = ran(Lookback(), row(), [*SCRIPT[:5], ("You criticise", items(OK, NO, OK, OK))])
    assert [step["label"] for step in made["steps"]] == [True, False, True] and made["critique_verdict"] == "right"


def test_steps_of_the_row_come_first_else_lines() -> None:
    steps = [{"text": "One look.", "label": None}, {"text": " ", "label": None}]
    script = [
        ("write the short questions", items({"questions": ["Any plates?"]})),
        *SCRIPT[1:5],
        ("You criticise", items(OK, OK)),
    ]
    [made], model = ran(Lookback(), row(steps=steps), script)
    assert [step["text"] for step in made["steps"]] == ["One look."] and len(model.asked) == 4
    [made], _ = ran(Lookback(), row("It shows two."), script)
    assert [step["text"] for step in made["steps"]] == ["It shows two."]


@pytest.mark.parametrize(
    ("given", "why"),
    [(row(images=()), "no picture"), (row(None), "no chosen answer"), (row("a\n" * 13), "too many steps")],
)
def test_rows_that_cannot_be_looked_at(given: dict[str, Any], why: str) -> None:
    found, model = ran(Lookback(), given, SCRIPT)
    assert isinstance(found, Drop) and found.reason == why and not model.asked


def test_replies_that_do_not_count_up_drop_the_row() -> None:
    short = [("write the short questions", items({"questions": []})), *SCRIPT[1:]]
    found, _ = ran(Lookback(), row(), short)
    assert isinstance(found, Drop) and found.reason == "questions: unparsable"
    found, _ = ran(Lookback(), row(), [*SCRIPT[:5], ("You criticise", items(OK))])
    assert isinstance(found, Drop) and found.reason == "critique: unparsable"


def test_columns_and_calls() -> None:
    assert "reference" not in Lookback().columns_read() and "reference" in Lookback(emit="pairs").columns_read()
    with_pairs, without = ({c.name for c in each.columns_written()} for each in (Lookback(emit="pairs"), Lookback()))
    assert with_pairs - without == {"chosen", "rejected", "verdict"}
    assert Lookback().calls_a_row() == 27 and Lookback(emit="pairs").calls_a_row() == 28
