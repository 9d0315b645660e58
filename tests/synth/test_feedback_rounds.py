"""Rounds of feedback: who is told what, where rows end, and what the diagnosis makes of them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from rather.core.errors import InputError
from rather.core.final_answer import final_answer
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.filters.diagnose_feedback_friction import FeedbackFriction
from rather.synth.feedback_rounds import BINARY, FeedbackRounds, withheld

from ..frames import SinkContext, TableFrame
from .scripted import Scripted, ran, row_of, texts

ROW = row_of("What is 6 times 7?", reference="42")
WHY = ("You say why a model", '{"reason": "resisted"}')


def script(*answers: Any, feedback: Any = "Multiply, do not add; 42 is near.") -> list[Any]:
    """First answer, then retries by the number of answers shown."""
    retries = [(["heed the feedback", f"# Your answer {k}"], said) for k, said in enumerate(answers[1:], 1)]
    return [WHY, ("You give feedback", feedback), *reversed(retries), ("What is 6", answers[0])]


def test_feedback_that_leads_to_the_right_answer() -> None:
    found, model = ran(FeedbackRounds(), ROW, script("The answer is 13.", "The answer is 40.", "The answer is 42."))
    told = "Multiply, do not add; [withheld] is near."

    def attempt(end: str, result: str, feedback: str | None) -> dict[str, Any]:
        return {"answer": f"The answer is {end}.", "final": end, "result": result, "feedback": feedback}

    assert [texts(row) for row in found] == [
        {
            "attempts": [attempt("13", "wrong", told), attempt("40", "wrong", told), attempt("42", "right", None)],
            "feedback_needed": 2, "feedback_end": "solved", "friction": None, "verdict": "prefer",
            "chosen": "The answer is 42.", "rejected": "The answer is 13.",
        }
    ]  # fmt: skip
    assert found[0]["chosen"]["made_by"]["params"] == '{"round":2}' and len(model.asked) == 5
    assert FeedbackRounds().calls_a_row() == 12 and FeedbackRounds(feedback="binary", judge=None).calls_a_row() == 6


def test_the_right_answer_is_taken_out_of_feedback() -> None:
    """Pitfall: feedback written with the right answer in view tells it, and uptake is then copying."""
    assert withheld("It is 42, not 142 or 42.5.", "6 * 7 = 42") == "It is [withheld], not 142 or 42.5."
    assert withheld("PARIS, of course.", "Paris") == "[withheld], of course." and withheld("None.", "") == "None."
    _, model = ran(FeedbackRounds(rounds=1, judge=None), ROW, script("13", "14"))
    assert "for your eyes alone\n42" in model.asked[1] and "42" not in model.asked[2]


def test_solved_at_once_is_frozen() -> None:
    found, model = ran(FeedbackRounds(), ROW, script("The answer is 42."))
    assert found[0]["feedback_needed"] == 0 and found[0]["chosen"] is None and len(model.asked) == 1


def test_never_solved_says_why() -> None:
    stage = FeedbackRounds(rounds=2, feedback="binary", avoid=True, warmer=0.5)
    found, model = ran(stage, ROW, script("13", "13", "14"))
    assert found[0]["friction"] == "resisted" and found[0]["feedback_end"] == "rounds" and found[0]["verdict"] is None
    assert [a["feedback"] for a in found[0]["attempts"]] == [BINARY, BINARY, None]
    assert "do not give them again: 13\n" in model.asked[2] and len(model.asked) == 4
    unsure, _ = ran(stage, ROW, [("You say why", "who knows"), *script("13", "13", "14")])
    assert unsure[0]["friction"] is None
    nobody, _ = ran(FeedbackRounds(rounds=1, judge=None), ROW, script("13", "13"))
    assert nobody[0]["friction"] is None


@pytest.mark.parametrize(
    ("replies", "end", "attempts"),
    [
        (script("13", feedback=Reply("", "refusal")), "feedback refused", 1),
        (script("13", Reply("The", "length")), "retry truncated", 1),
        (script("13", "14", Reply("", "refusal")), "retry refused", 2),
    ],
)
def test_what_breaks_off_keeps_what_there_is(replies: list[Any], end: str, attempts: int) -> None:
    found, _ = ran(FeedbackRounds(), ROW, replies)
    assert found[0]["feedback_end"] == end and len(found[0]["attempts"]) == attempts
    assert found[0]["friction"] == (None if attempts == 1 else "resisted")


def test_an_adviser_of_its_own_and_faults() -> None:
    adviser = Scripted([("You give feedback", "Multiply.")], "adviser")
    stage = FeedbackRounds(feedback="strong", adviser="strong")
    found, model = ran(stage, ROW, script("13", "42"), strong=adviser)
    assert found[0]["feedback_needed"] == 1 and len(adviser.asked) == 1 and len(model.asked) == 2
    for odd in (FeedbackRounds(feedback="strong"), FeedbackRounds(adviser="strong")):
        assert list(odd.faults()) == ["feedback: strong and adviser go together: name who gives it, or neither"]
    assert ran(FeedbackRounds(), ROW, [("What is", Reply("", "refusal"))])[0].reason == "first: refused"
    assert ran(FeedbackRounds(), row_of("Why?", reference=None), [])[0] == Drop("no reference")


def course(*ends: str) -> list[dict[str, Any]]:
    """Attempts that end so; 42 is right, an empty end unreadable."""
    found = {"42": "right", "": "unreadable"}
    return [{"answer": f"So {e}", "final": e, "result": found.get(e, "wrong"), "feedback": "x"} for e in ends]


def test_friction_by_hand() -> None:
    """Six rows: one right at once, two by one feedback and by two, three never; 9 retries end in something."""
    table = pa.table(
        {
            "attempts": [
                course("42"), course("13", "42"), course("13", "13", "42"), course("1", "2", "1", "2"),
                course("7", "7"), course("", "", "9"), None,
            ],
            "friction": [None, None, None, "resisted", "feedback_wrong", "resisted", "odd"],
        }
    )  # fmt: skip
    facts = FeedbackFriction().sink(TableFrame(table), SinkContext("."))
    found = {line["measure"].split(":")[0]: line["value"] for line in facts["measures"][:7]}
    assert facts["rows"] == 6 and facts["accuracy"] == [0.1667, 0.3333, 0.5, 0.5]
    assert found == {
        "accuracy of first answers": 0.1667, "uptake@1": 0.2, "uptake@2": 0.4, "repeat rate": 0.5,
        "first retries that change the answer's text": 0.4, "target gap": 0.5, "never solved": 0.3333,
    }  # fmt: skip
    split = {line["measure"]: line["value"] for line in facts["measures"][6:]}
    assert split == {
        "never solved: feedback_wrong": 0.3333, "never solved: not_understood": 0.0, "never solved: resisted": 0.6667,
    }  # fmt: skip
    gap = facts["measures"][5]
    assert gap["low"] < 0.5 < gap["high"] and gap["reading"] == "stays open"


def test_nothing_to_diagnose() -> None:
    empty = FeedbackFriction().sink(TableFrame(pa.table({"attempts": pa.array([None], pa.null())})), SinkContext("."))
    assert empty["rows"] == 0 and empty["accuracy"] == [] and empty["measures"][0]["value"] is None
    with pytest.raises(InputError, match="no column attempts"):
        FeedbackFriction().sink(TableFrame(pa.table({"x": [1]})), SinkContext("."))


def test_real_problems(data: Path) -> None:
    with gzip.open(data / "preferences" / "gsm8k_solutions.jsonl.gz", "rt") as lines:
        rows = [json.loads(next(lines)) for _ in range(3)]
    for row in rows:
        replies = [WHY, ("You give feedback", "Count again."), ("heed the feedback", row["chosen"])]
        given = row_of(row["prompt"], reference=final_answer(row["chosen"]))
        [found], _ = ran(FeedbackRounds(), given, [*replies, ("Think step by step", row["rejected"])])
        assert found["feedback_needed"] == 1 and texts(found)["chosen"] == row["chosen"].strip()
