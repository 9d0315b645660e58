"""Critiques: verdicts read and checked against the truth, steps, flaws with their places, pairs, formats."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.synth.critique import CritiqueStage
from rather.synth.critique_records import steps_of
from rather.synth.critique_truth import same_end, truth_of
from rather.synth.critique_units import Unit, located, place

from .scripted import ran, row_of

SOLVED = "3 + 4 = 7 eggs are used.\n16 - 7 = 9 eggs are left.\nA: 18"
BOTCHED = "16 - 3 = 13 eggs are left.\nShe makes 13 * 2 = 26.\nA: 26"
ROW = row_of("How much does she make?", chosen=SOLVED, rejected=BOTCHED, reference="#### 18")
RIGHT, WRONG = "All steps hold.\nConclusion: right [END]", "Four eggs are missing.\nConclusion: wrong [END]"
ASKED = (
    "Read the question and the solution below. Say whether the solution is right: name what is wrong in it, if "
    'anything is, and end with the line "Conclusion: right" or "Conclusion: wrong".'
)


def test_what_is_known_of_the_truth() -> None:
    assert same_end(SOLVED, "so she makes 18.0") and not same_end(BOTCHED, "#### 18")
    assert truth_of("#### 18", SOLVED) is True and truth_of(False, SOLVED) is False
    assert truth_of(None, SOLVED) is None and truth_of("  ", SOLVED) is None
    assert not same_end("", ""), "nothing is no result"


def test_a_critique_becomes_a_record_for_training() -> None:
    found, model = ran(CritiqueStage(truth="sides"), ROW, [("Conclusion: right [END]", RIGHT)])
    params = (
        '{"format":"full","grain":"answer","hint":null,"of":"chosen","reference_shown":false,"temperature":0.3,'
        '"top_p":0.95}'
    )
    origin = {"stage": "synth.critique", "method": "critique", "params": params, "model": "scripted", "seed": 7}
    text = "All steps hold.\nConclusion: right"
    asked = f"{ASKED}\nQuestion:\nHow much does she make?\n\nSolution:\n{SOLVED}"
    assert found == [
        {
            "prompt": [{"role": "user", "content": asked, "parts": None, "tool_calls": None}],
            "candidates": None, "rejected": None, "verdict": None,
            "chosen": {"text": text, "turns": None, "image": None, "model": "scripted", "made_by": origin},
            "critique": {"text": text, "critic": "scripted", "score": None, "verdict": "right"},
            "question": "How much does she make?", "response": SOLVED, "response_from": "chosen",
            "response_right": True, "rationale_format": "full", "critique_verdict": "right", "verdict_ok": True,
        }
    ]  # fmt: skip
    assert len(model.asked) == 1 and "18" not in model.asked[0].replace("A: 18", ""), "the truth is not shown"


def test_pitfall_teachers_err_and_their_wrong_critiques_are_marked() -> None:
    script = [(f"# Solution\n{SOLVED}", WRONG), (f"# Solution\n{BOTCHED}", RIGHT)]
    found, _ = ran(CritiqueStage(of="pair", truth="sides"), ROW, script)
    assert [(r["response_from"], r["critique_verdict"], r["response_right"], r["verdict_ok"]) for r in found] == [
        ("chosen", "wrong", True, False),
        ("rejected", "right", False, False),
    ]
    by_result, _ = ran(CritiqueStage(of="pair", truth="column"), ROW, script)
    assert [r["verdict_ok"] for r in by_result] == [False, False]
    tied, _ = ran(CritiqueStage(of="pair", truth="sides"), ROW | {"verdict": "tie"}, script)
    assert [r["response_right"] for r in tied] == [None, None], "of a tie neither side is known to be right"
    unknown, _ = ran(CritiqueStage(), ROW, script)
    assert unknown[0]["response_right"] is None and unknown[0]["verdict_ok"] is None


def test_sound_critiques_stay_when_others_fail() -> None:
    script = [("Conclusion: right [END]", [RIGHT, Reply("I can't judge this."), WRONG])]
    found, _ = ran(CritiqueStage(n=3), ROW, script)
    assert [row["critique_verdict"] for row in found] == ["right", "wrong"]
    lost, model = ran(CritiqueStage(), ROW, [("Conclusion: right [END]", "hard to say, on the whole")])
    assert lost == Drop("critique: unparsable") and len(model.asked) == 2, "asked once more"
    assert ran(CritiqueStage(), row_of("x", chosen=" "), [])[0] == Drop("no answer to criticise")


def test_two_critiques_of_opposite_verdicts_make_a_pair() -> None:
    stage = CritiqueStage(of="pair", form="pairs", n=3, truth="sides")
    script = [(f"# Solution\n{SOLVED}", [WRONG, RIGHT, RIGHT]), (f"# Solution\n{BOTCHED}", [RIGHT, RIGHT, WRONG])]
    found, _ = ran(stage, ROW, script)
    told = [(r["response_from"], r["chosen"]["text"][-5:], r["rejected"]["text"][-5:], r["verdict"]) for r in found]
    assert told == [("chosen", "right", "wrong", "prefer"), ("rejected", "wrong", "right", "prefer")]
    assert found[0]["chosen"]["made_by"]["seed"] == 8 and found[0]["rejected"]["made_by"]["seed"] == 7
    alike, _ = ran(CritiqueStage(form="pairs", n=2, truth="sides"), ROW, [("# Solution", RIGHT)])
    assert alike == Drop("no critiques of opposite verdicts")
    open_ended = row_of("x", chosen=SOLVED, reference=None)
    blind, _ = ran(CritiqueStage(form="pairs", n=2, truth="column"), open_ended, [("# Solution", [RIGHT, WRONG])])
    assert blind == Drop("not known whether the response is right")


def test_critiques_as_candidates_are_scored_by_their_verdicts() -> None:
    stage = CritiqueStage(form="candidates", n=3, truth="sides")
    [row], _ = ran(stage, ROW, [("# Solution", [RIGHT, "no line of that kind", WRONG])])
    assert [c["text"].splitlines()[-1] for c in row["candidates"]] == ["Conclusion: right", "Conclusion: wrong"]
    assert row["critique_verdict"] == ["right", "wrong"] and row["verdict_ok"] == [1.0, 0.0]
    assert row["chosen"] is None and "critique" not in row


def test_every_candidate_may_be_criticised() -> None:
    listed = [{"text": SOLVED, "model": "small"}, None, {"text": " "}, {"text": BOTCHED}, {"text": "A: 3"}]
    row = {"id": "row0", "prompt": ROW["prompt"], "candidates": listed, "reference": "#### 18"}
    stage = CritiqueStage(of="candidates", truth="column", most=2)
    found, model = ran(stage, row, [(BOTCHED, WRONG), (SOLVED, RIGHT)])
    told = [(r["response_from"], r["response"], r["verdict_ok"], r["candidates"]) for r in found]
    assert told == [("small", SOLVED, True, None), ("candidate 3", BOTCHED, True, None)]
    assert len(model.asked) == stage.calls_a_row() == 2, "those beyond `most` are left alone"
    assert ran(stage, row | {"candidates": None}, [])[0] == Drop("no answer to criticise")


def test_steps_are_labelled_one_by_one() -> None:
    said = "Step 1: Wrong - breakfast alone is taken off\nConclusion: wrong [END]"
    stage = CritiqueStage(of="pair", most=1, grain="steps", truth="column", tell_reference=True, hint="flaw")
    row = ROW | {"chosen": {"text": BOTCHED}, "flaw": "the muffins are forgotten"}
    [found], model = ran(stage, row, [("Step 1: 16 - 3", said)])
    assert found["steps"] == [
        {"text": "16 - 3 = 13 eggs are left.", "label": False},
        {"text": "She makes 13 * 2 = 26.", "label": None},
        {"text": "A: 26", "label": None},
    ]
    assert found["first_error_step"] == 1 and found["verdict_ok"] is True
    [asked] = model.asked
    assert "Step 2: She makes" in asked and "#### 18" in asked and "the muffins are forgotten" in asked
    assert "18" not in found["prompt"][0]["content"] and "muffins" not in found["prompt"][0]["content"]


def test_steps_are_lines_or_sentences() -> None:
    assert steps_of("We add.\n1. Take 3.\n2. Add 4.\n\nIt is 7.") == ["We add.", "1. Take 3.", "2. Add 4.", "It is 7."]
    assert steps_of("one\n\n two ") == ["one", "two"] and steps_of("Take 3. Add 4.") == ["Take 3.", "Add 4."]


def test_what_is_known_of_an_error_is_not_told_of_a_right_answer() -> None:
    stage = CritiqueStage(of="pair", truth="sides", hint="mistake_description")
    row = ROW | {"mistake_description": "the muffins are forgotten"}
    _, model = ran(stage, row, [("# Solution", RIGHT)])
    told = {text.split("# Solution\n")[1].startswith(BOTCHED): "muffins" in text for text in model.asked}
    assert told == {False: False, True: True}


def test_flaws_are_found_where_they_are_quoted() -> None:
    units = [
        {"criterion": "truth", "quote": "13 eggs", "flaw": "7 are used", "severity": 3, "suggestion": "take 7 off"},
        {"criterion": "form", "quote": "she MAKES  13", "flaw": "no unit", "severity": 1, "suggestion": ""},
        {"criterion": "truth", "quote": "27", "flaw": "not what it says", "severity": 2, "suggestion": ""},
        {"criterion": "scope", "quote": "", "flaw": "no check", "severity": 1, "suggestion": "check it"},
        {"criterion": "empty", "quote": "A", "flaw": " ", "severity": 1, "suggestion": ""},
    ]
    said = json.dumps({"units": units, "conclusion": "wrong"})
    stage = CritiqueStage(of="pair", grain="spans", truth="sides")
    script = [(BOTCHED, said), (SOLVED, '{"units": [], "conclusion": "right"}')]
    (clean, flawed), _ = ran(stage, ROW, script)
    assert clean["spans"] == [] and clean["chosen"]["text"] == "No flaw was found.\nConclusion: right"
    assert flawed["spans"] == [
        {"start": 9, "end": 16, "kind": "truth", "severity": 3.0, "comment": "7 are used"},
        {"start": 27, "end": 39, "kind": "form", "severity": 1.0, "comment": "no unit"},
    ]
    assert BOTCHED[9:16] == "13 eggs" and flawed["quotes_lost"] == 1 and len(flawed["units"]) == 4
    assert flawed["chosen"]["text"] == (
        '1. truth (fatal). At "13 eggs": 7 are used Instead: take 7 off\n2. form (minor). At "she MAKES  13": no unit\n'
        '3. truth (serious). At "27": not what it says\n4. scope (minor). no check Instead: check it\nConclusion: wrong'
    )


def test_offsets_count_code_points() -> None:
    text = "🙂🙂 naïve sum"
    assert place("sum", text) == (9, 12) and text[9:12] == "sum"
    assert place("“naïve  sum”", text) == (3, 12) and place("", text) is None and place("no", text) is None
    assert located([Unit("a", "", "b", 1.0, "")], text)["quotes_lost"] == 0, "what is missing cannot be quoted"


def test_every_turn_of_the_prompt_is_shown() -> None:
    turns = [{"role": r, "content": t} for r, t in (("user", "A prime?"), ("assistant", "2"), ("user", "Another?"))]
    [row], model = ran(CritiqueStage(), ROW | {"prompt": turns}, [("# Solution", RIGHT)])
    assert row["question"] == "User: A prime?\n\nAssistant: 2\n\nUser: Another?" and row["question"] in model.asked[0]


def test_formats_are_asked_for_side_by_side() -> None:
    stage = CritiqueStage(rationale_format=("verdict", "brief_attributed"))
    script = [("Give no reasons", RIGHT), (["three sentences", "on what it rests"], WRONG)]
    found, model = ran(stage, ROW, script)
    assert [(r["rationale_format"], r["critique_verdict"]) for r in found] == [
        ("verdict", "right"),
        ("brief_attributed", "wrong"),
    ]
    assert len(model.asked) == stage.calls_a_row() == 2


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"of": "candidates", "truth": "sides"}, "no sides"),
        ({"form": "pairs", "truth": "sides"}, "n of 2 or more"),
        ({"form": "pairs", "n": 2}, "needs a truth"),
        ({"tell_reference": True}, "truth: column"),
        ({"prompts": "critik"}, "no template critik"),
    ],
)
def test_what_cannot_work_is_told_beforehand(options: dict[str, Any], fault: str) -> None:
    assert fault in " ".join(CritiqueStage(**options).faults())
