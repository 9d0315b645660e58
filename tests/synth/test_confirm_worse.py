"""A made negative is confirmed by a judge in both orders, by a verifier, or by both."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from rather.core.errors import CallError
from rather.core.stage import Drop, Dropped
from rather.synth.confirm_worse import ConfirmWorse
from rather.synth.confirming import Aimed, aimed, rated
from rather.synth.making import made_by

from .scripted import Scripted, ran, row_of

ROW = row_of("What is 6 times 7?", chosen="It is 42.", rejected="It is 41.", reference="42")
BETTER_FIRST = "# Answer A\nIt is 42."
WORSE_FIRST = "# Answer A\nIt is 41."


def judged(given: str, swapped: str) -> list[tuple[str, str]]:
    return [(BETTER_FIRST, given), (WORSE_FIRST, swapped)]


def test_both_orders_must_agree() -> None:
    found, model = ran(ConfirmWorse(), ROW, judged("A", "B"))
    assert found == [{"confirmed_p": 1.0}] and len(model.asked) == 2 == ConfirmWorse().calls_a_row()


@pytest.mark.parametrize(
    ("said", "reason", "p"),
    [
        (("B", "A"), "not confirmed: judged better", 0.0),
        (("tie", "tie"), "not confirmed: judged a tie", 0.5),
        (("A", "A"), "not confirmed: the orders disagree", 0.5),
        (("A", "tie"), "not confirmed: the orders disagree", 0.75),
        (("A", "Hm."), "confirmation: unparsable", None),
        (("I'm sorry, I can't judge.", "B"), "confirmation: refused", None),
    ],
)
def test_what_is_not_confirmed_says_why(said: tuple[str, str], reason: str, p: float | None) -> None:
    found, _ = ran(ConfirmWorse(), ROW, judged(*said))
    assert found == Drop(reason, {"confirmed_p": p})


def test_a_failed_call_is_no_verdict_and_a_tie_is_not_asked_about() -> None:
    with pytest.raises(CallError, match="down"):
        ran(ConfirmWorse(), ROW, [("Answer A", CallError("down"))])
    found, model = ran(ConfirmWorse(), ROW | {"verdict": "tie"}, [])
    assert found == [{"confirmed_p": None}] and model.asked == []


def test_a_verifier_alone() -> None:
    stage = ConfirmWorse(verifier="number", judge=None)
    found, model = ran(stage, ROW, [])
    assert found == [{"confirmed_p": None}] and model.asked == [] and stage.calls_a_row() == 0
    for changed, reason in (
        ({"rejected": {"text": "42 it is"}}, "not verified: rejected is right"),
        ({"rejected": {"text": "none"}}, "not verified: rejected is unreadable"),
        ({"chosen": {"text": "43"}}, "not verified: chosen is wrong"),
        ({"chosen": {"text": "none"}}, "not verified: chosen is unreadable"),
        ({"reference": ""}, "no reference"),
    ):
        dropped, _ = ran(stage, ROW | changed, [])
        assert dropped.reason == reason


def test_a_verifier_first_and_then_a_judge() -> None:
    stage = ConfirmWorse(verifier="number")
    assert ran(stage, ROW, judged("A", "B"))[0] == [{"confirmed_p": 1.0}]
    dropped, model = ran(stage, ROW | {"rejected": {"text": "42!"}}, judged("A", "B"))
    assert dropped.reason == "not verified: rejected is right" and model.asked == []


def test_pairs_as_they_were_read_pass_unasked_where_told() -> None:
    stage, by = ConfirmWorse(made_only=True), {"made_by": made_by("synth.x", "m", {}, "w", 7)}
    as_read, model = ran(stage, ROW, judged("B", "A"))
    assert as_read == [{"confirmed_p": None}] and model.asked == []
    for side in ("chosen", "rejected"):
        dropped, model = ran(stage, ROW | {side: ROW[side] | by}, judged("B", "A"))
        assert dropped.reason == "not confirmed: judged better" and len(model.asked) == 2


def test_somebody_must_confirm() -> None:
    assert ConfirmWorse(judge=None).faults() == ["nobody confirms; give it a judge or a verifier"]
    assert ConfirmWorse().faults() == () and "reference" not in ConfirmWorse().columns_read()
    assert "reference" in ConfirmWorse(verifier="formula").columns_read()


def test_pitfall_a_judge_of_the_teachers_family_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """It overstates what its kin has revised; who made neither side is no reason to warn, nor is a rule."""
    origins = {name: made_by("synth.reference_feedback", "refine", {}, name, None) for name in ("qwen-7b", "yi-34b")}
    judge = Scripted(judged("A", "B"), "qwen-max")
    for maker, warned in ((origins["yi-34b"], False), (made_by("synth.x", "rule", {}, None, 7), False),
                          (origins["qwen-7b"], True)):  # fmt: skip
        with caplog.at_level(logging.WARNING, "rather.synth"):
            ran(ConfirmWorse(), ROW | {"chosen": ROW["chosen"] | {"made_by": maker}}, [], judge=judge)
        assert ("the judge qwen-max is of one family with qwen-7b" in caplog.text) == warned


def test_an_answer_is_aimed_at_a_margin() -> None:
    """A margin too small asks for a grosser fault, one too large for a subtler one."""
    margins = {"subtle": 0.5, "clear": 6.0, "gross": 9.0}

    async def make(strength: str, number: int) -> str:
        return f"{strength} {number}"

    async def margin_of(text: str) -> float:
        return margins[text.split()[0]]

    found = asyncio.run(aimed(make, margin_of, (5.0, 7.0), "subtle", 3))
    assert found == Aimed("clear 1", "clear", 6.0, 2)
    assert asyncio.run(aimed(make, margin_of, (8.0, 9.0), "gross", 1)) == Aimed("gross 0", "gross", 9.0, 1)
    with pytest.raises(Dropped) as told:
        asyncio.run(aimed(make, margin_of, (2.0, 3.0), "clear", 2))
    assert told.value.drop == Drop("margin out of reach", {"margin": 0.5, "strength": "subtle"})


@pytest.mark.parametrize(("said", "expected"), [("7", 7.0), ("**8**", 8.0), ("11", None), ("good", None)])
def test_a_rating_is_a_number_or_nothing(said: str, expected: float | None) -> None:
    judge: Any = Scripted([("# Answer", said)])
    if expected is None:
        with pytest.raises(Dropped, match="rate: "):
            asyncio.run(rated(judge, "p", "a"))
    else:
        assert asyncio.run(rated(judge, "p", "a")) == expected
