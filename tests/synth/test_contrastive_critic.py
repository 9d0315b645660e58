"""SCRIT: critiques drawn from a reference, kept where their own correction holds."""

from __future__ import annotations

import pytest
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.models.verdict import Outcome
from rather.synth.contrastive_critic import ContrastiveCritic
from rather.synth.critique_corrected import changed, read_corrected

from .scripted import Script, ran, row_of

SOLVED = "16 - 7 = 9 are left.\nA: 18"
BOTCHED = "16 - 3 = 13 are left.\nA: 26"
REFERENCE = "She sells 16 - 3 - 4 = 9 for 2 each.\n#### 18"
ROW = row_of("How much does she make?", chosen=SOLVED, rejected=BOTCHED, reference=REFERENCE)
NOTES = "What is used is taken off; what is left is sold."
FLAWED = (
    "Step 1: Wrong - the muffins are forgotten\nConclusion: wrong\nCorrected solution:\n16 - 7 = 9 are left.\n"
    "The answer is: 18\n[END]"
)
FINE = "Step 1: Correct - all is taken off\nStep 2: Correct - twice nine\nConclusion: right\n[END]"
STUDY, CHECK = "# Solved", "free of errors"


def script(of_solved: str = FINE, of_botched: str = FLAWED, check: str = "Yes") -> Script:
    return [(STUDY, NOTES), (CHECK, check), ("Step 1: 16 - 7", of_solved), ("Step 1: 16 - 3", of_botched)]


def test_a_critique_whose_correction_holds() -> None:
    stage = ContrastiveCritic(of="pair")
    (fine, flawed), model = ran(stage, ROW, script())
    text = FLAWED.removesuffix("\n[END]")
    correction = "16 - 7 = 9 are left.\nThe answer is: 18"
    origin = {
        "stage": "synth.contrastive_critic", "method": "contrastive", "params": '{"of":"pair","temperature":0.7}',
        "model": "scripted", "seed": 7,
    }  # fmt: skip
    asked = flawed.pop("prompt")[0]["content"]
    assert flawed == {
        "candidates": None, "rejected": None, "verdict": None,
        "chosen": {"text": text, "turns": None, "image": None, "model": "scripted", "made_by": origin},
        "critique": {"text": text, "critic": "scripted", "score": None, "verdict": "wrong"},
        "steps": [{"text": "16 - 3 = 13 are left.", "label": False}, {"text": "A: 26", "label": None}],
        "question": "How much does she make?", "response": BOTCHED, "response_from": "rejected",
        "critique_verdict": "wrong", "verdict_ok": True, "first_error_step": 1, "reference_analysis": NOTES,
        "correction": correction, "corrected_answer": "18", "steps_changed": 1.0,
        "valid_answer": True, "valid_check": True,
    }  # fmt: skip
    assert fine["critique_verdict"] == "right" and fine["correction"] is None and fine["verdict_ok"] is True
    assert fine["steps_changed"] is None and fine["first_error_step"] is None
    assert len(model.asked) == stage.calls_a_row() == 5, "the reference is studied once"
    assert NOTES not in asked and "#### 18" not in asked and asked.endswith(f"Solution:\n{BOTCHED}")


def test_pitfall_the_critic_sees_its_notes_and_not_the_reference() -> None:
    _, model = ran(ContrastiveCritic(), ROW, script())
    study, critique, check = model.asked
    assert REFERENCE in study and NOTES in critique and REFERENCE not in critique
    assert NOTES not in check and REFERENCE not in check and SOLVED in check, "the check stands by itself"


def test_pitfall_neither_reference_nor_notes_are_in_what_is_trained_on() -> None:
    for row in ran(ContrastiveCritic(of="pair"), ROW, script())[0]:
        trained = row["prompt"][0]["content"] + row["chosen"]["text"]
        assert NOTES not in trained and REFERENCE not in trained
    telling = FLAWED.replace("the muffins", "by the given analysis the muffins")
    [row], _ = ran(ContrastiveCritic(of="pair"), ROW, script(of_botched=telling))
    assert row["response_from"] == "chosen", "a critique that tells of them goes"


def test_pitfall_a_lucky_correction_is_told_by_its_steps() -> None:
    """The right result under steps that owe nothing to the response: all are new. One of two kept: half are."""
    botched = ROW | {"chosen": {"text": BOTCHED}}
    for solution, share in (("Guess: 18", 1.0), ("16 - 3 = 13 are left.\nA: 18", 0.5)):
        said = FLAWED.partition("16 - 7")[0] + solution
        [row], _ = ran(ContrastiveCritic(), botched, script(of_botched=said))
        assert (row["steps_changed"], row["corrected_answer"], row["valid_answer"]) == (share, "18", True)


def test_a_correction_with_another_result_fails() -> None:
    lucky = FLAWED.replace("18", "27")
    stage = ContrastiveCritic(of="pair")
    found, _ = ran(stage, ROW, script(of_botched=lucky))
    assert [row["response_from"] for row in found] == ["chosen"]
    botched_alone = ROW | {"chosen": {"text": BOTCHED}}
    alone, _ = ran(ContrastiveCritic(), botched_alone, script(of_botched=lucky))
    assert alone == Drop("correction: another result")
    blind, _ = ran(ContrastiveCritic(), botched_alone, script(of_botched=FINE))
    assert blind == Drop("correction: another result"), "approving of a wrong solution fails by its own result"
    kept, _ = ran(ContrastiveCritic(keep_invalid=True), botched_alone, script(of_botched=FINE))
    assert (kept[0]["valid_answer"], kept[0]["valid_check"], kept[0]["verdict_ok"]) == (False, True, False)


def test_a_correction_the_check_finds_fault_with_fails() -> None:
    found, _ = ran(ContrastiveCritic(of="pair"), ROW, script(check="No"))
    assert found == Drop("correction: the check finds an error")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (FINE.replace("all is", "by the reference solution all is"), "critique: tells of the reference"),
        (FLAWED.replace("Corrected solution:", "So:"), "critique: unparsable"),
        (FINE.replace("Step 2: Correct", "Step 2: Wrong"), "critique: unparsable"),
    ],
)
def test_critiques_that_are_none(said: str, reason: str) -> None:
    found, _ = ran(ContrastiveCritic(), ROW, script(of_solved=said))
    assert isinstance(found, Drop) and found.reason == reason


def test_nothing_to_study_or_no_sound_reply() -> None:
    assert ran(ContrastiveCritic(), ROW | {"reference": " "}, [])[0] == Drop("no reference")
    refused, _ = ran(ContrastiveCritic(), ROW, [(STUDY, "I'm sorry, I can't help with that.")])
    assert isinstance(refused, Drop) and refused.reason == "study: refused"
    unsure, _ = ran(ContrastiveCritic(), ROW, script(check="hard to tell"))
    assert isinstance(unsure, Drop) and unsure.reason == "check: unparsable"


def test_how_much_of_a_correction_is_new() -> None:
    assert changed(["a  B", "c"], ["A b", "d", "e"]) == pytest.approx(2 / 3)
    assert changed(["a"], []) == 0.0


def test_a_correction_is_what_stands_under_its_heading() -> None:
    read = read_corrected(1)
    bold = "Step 1: Wrong - no\n**Conclusion:** wrong\n**Corrected solution:**\nSo it is 3."
    assert read(Reply(bold)).value.correction == "So it is 3."
    assert read(Reply("Step 1: Wrong\nConclusion: wrong\nCorrected solution:\n")).outcome is Outcome.UNPARSABLE
    spared = read(Reply("Step 1: Correct\nConclusion: right\nCorrected solution:\nthe same")).value
    assert spared.correction is None and spared.text == "Step 1: Correct\nConclusion: right"
