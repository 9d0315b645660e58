"""Answers to neighbouring instructions on recorded replies: kept, too alike, too unlike, no lure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rather.core.errors import CallError
from rather.core.stage import Drop
from rather.models.encoders_text import StaticText
from rather.synth.neighbor_instruction import NeighborInstruction

from .scripted import Scripted, ran, real_pairs, row_of

PROMPT = "List three mammals that live in the sea."
ROW = row_of(PROMPT, chosen="Whales, dolphins and seals.")
OTHER = "List three fish that live in the sea."
SOUND = [("write another on the same matter", OTHER), (OTHER, "Three fish of the sea are cod, tuna and herring.")]


def made(row: dict[str, Any], script: Any, **options: Any) -> tuple[Any, Scripted]:
    return ran(NeighborInstruction(**options), row, script, static=StaticText())


def cosine(one: str, other: str) -> float:
    a, b = StaticText().encode([one, other]).astype(float)
    return float(a @ b)


def test_a_row_in_full() -> None:
    [found], model = made(ROW, SOUND)
    rejected = found.pop("rejected")
    origin = rejected.pop("made_by")
    assert json.loads(origin.pop("params")) == {
        "instruction": OTHER, "similarity": round(found["instruction_similarity"], 4), "written": True,
        "strength": "clear",
    }  # fmt: skip
    assert origin == {
        "stage": "synth.neighbor_instruction", "method": "answer to a neighbouring instruction",
        "model": "scripted", "seed": 7,
    }  # fmt: skip
    text = "Three fish of the sea are cod, tuna and herring."
    assert rejected == {"text": text, "turns": None, "image": None, "model": "scripted"}
    lure = found.pop("lure")
    assert lure == pytest.approx(cosine(PROMPT, text) - cosine(PROMPT, ROW["chosen"]["text"]), abs=1e-6)
    assert found == {
        "verdict": "prefer", "neighbor_instruction": OTHER, "judged_margin": None,
        "instruction_similarity": pytest.approx(cosine(PROMPT, OTHER), abs=1e-6),
    }  # fmt: skip
    assert [text for text in model.asked if text == OTHER] == [OTHER], "it is answered as it stands"
    assert len(model.asked) == 2


def test_an_instruction_that_is_no_neighbour_is_written_again() -> None:
    script = [("write another on the same matter", ["Sing a song of love.", OTHER]), SOUND[1]]
    assert made(ROW, script)[0][0]["neighbor_instruction"] == OTHER
    unlike = [("write another on the same matter", ["Sing a song of love.", "Sing again."])]
    assert made(ROW, unlike)[0].reason == "instructions too unlike"
    alike = [("write another on the same matter", [PROMPT, PROMPT])]
    found = made(ROW, alike)[0]
    assert found.reason == "instructions too alike" and found.values["similarity"] == pytest.approx(1, abs=1e-5)


def test_a_column_of_instructions_needs_no_writer() -> None:
    row = ROW | {"near": OTHER}
    found, model = made(row, SOUND[1:], instruction="near")
    assert found[0]["neighbor_instruction"] == OTHER and len(model.asked) == 1
    assert NeighborInstruction(instruction="near").calls_a_row() == 1 and NeighborInstruction().calls_a_row() == 3
    assert "near" in NeighborInstruction(instruction="near").columns_read()
    assert made(ROW | {"near": None}, [], instruction="near")[0] == Drop("no other instruction")


def rating(text: str, points: str) -> tuple[list[str], str]:
    return (["from 1 (useless", f"# Answer\n{text}"], points)


NEAR, FAR = "List three big mammals that live in the sea.", "List three stories of the sea."
ANSWERS = {NEAR: "Three mammals of the sea are whales.", OTHER: SOUND[1][1], FAR: "Three tales that live in the sea."}
WRITTEN = [("easily overlooked", NEAR), ("another property", OTHER), ("words in common", FAR)]
MARKS = [rating("Whales, dolphins", "9")]
MARKS += [rating(text, mark) for text, mark in zip(ANSWERS.values(), ("8", "4", "1"), strict=True)]


@pytest.mark.parametrize(
    ("first", "band", "instruction", "strength", "margin"),
    [
        ("gross", (4, 6), OTHER, "clear", 5.0),
        ("clear", (0.5, 2), NEAR, "subtle", 1.0),
        ("subtle", (4, 6), OTHER, "clear", 5.0),
        ("clear", (7, 9), FAR, "gross", 8.0),
    ],
)
def test_a_margin_is_aimed_at(first: Any, band: Any, instruction: str, strength: str, margin: float) -> None:
    """Too good an answer to the prompt is followed by one to an instruction further off, too bad a one by a nearer."""
    options: dict[str, Any] = {"strength": first, "target_margin": band, "judge": "judge", "least": 0.3}
    [found], model = made(ROW, [*MARKS, *WRITTEN, *ANSWERS.items()], **options)
    assert found["neighbor_instruction"] == instruction and found["judged_margin"] == margin
    assert found["rejected"]["text"] == ANSWERS[instruction]
    params = json.loads(found["rejected"]["made_by"]["params"])
    told = {"strength": strength, "target": list(band), "margin": margin, "tries": 2, "written": True}
    assert {name: params[name] for name in told} == told and found["rejected"]["made_by"]["seed"] == 8
    assert len(model.asked) == 7 == NeighborInstruction(**options).calls_a_row()


def test_a_margin_out_of_reach_drops_the_row() -> None:
    options: dict[str, Any] = {"target_margin": (2, 3), "judge": "judge", "least": 0.3}
    far, _ = made(ROW, [*MARKS, *WRITTEN, *ANSWERS.items()], **options)
    assert far == Drop("margin out of reach", {"margin": 1.0, "strength": "subtle"})
    unlike = [("another on the same matter", ["Sing a song of love.", OTHER])]
    second, _ = made(ROW, [*MARKS, *unlike, *ANSWERS.items()], **options | {"target_margin": (4, 6)})
    assert second[0]["neighbor_instruction"] == OTHER, "a try that is no neighbour is followed by another"
    column = {"instruction": "near"} | options | {"target_margin": (4, 6)}
    [fits], model = made(ROW | {"near": OTHER}, [*MARKS, *ANSWERS.items()], **column)
    assert fits["judged_margin"] == 5.0 and len(model.asked) == 3 == NeighborInstruction(**column).calls_a_row()
    assert "strength" not in json.loads(fits["rejected"]["made_by"]["params"])
    goes, _ = made(ROW | {"near": FAR}, [*MARKS, *ANSWERS.items()], **column)
    assert goes == Drop("margin out of reach", {"margin": 8.0, "strength": "clear"})
    assert len(NeighborInstruction(target_margin=(3, 2)).faults()) == 2


def test_pitfall_an_answer_nobody_falls_for_teaches_nothing() -> None:
    script = [SOUND[0], (OTHER, "Yes!")]
    found = made(ROW, script)[0]
    assert found.reason == "too far from the prompt to fool" and found.values["lure"] < -0.25
    assert made(ROW, script, least_lure=-2)[0][0]["rejected"]["text"] == "Yes!"


def test_other_ends() -> None:
    assert made(ROW, [SOUND[0], (OTHER, "Whales, dolphins  and seals.")])[0] == Drop("same answer")
    assert made(ROW, [("write another", "I'm sorry, I can't help.")])[0].reason == "vary: refused"
    assert made(ROW, [SOUND[0], (OTHER, "")])[0].reason == "answer: unparsable"
    with pytest.raises(CallError, match="down"):
        made(ROW, [("write another", CallError("down"))])
    stronger = Scripted([(OTHER, "The fish: cod, tuna, herring live in the sea.")], name="strong")
    found, model = ran(NeighborInstruction(answerer="strong"), ROW, SOUND[:1], static=StaticText(), strong=stronger)
    assert found[0]["rejected"]["model"] == "strong" and len(stronger.asked) == len(model.asked) == 1
    assert "above most" in NeighborInstruction(least=0.9, most=0.5).faults()[0]


def test_three_real_instructions(data: Path) -> None:
    """LLMBar's own bad outputs as answers to a variation that leaves one word out."""
    for row in real_pairs(data, "llmbar.jsonl"):
        prompt, bad = row["prompt"][0]["content"], row["rejected"]["text"]
        other = prompt.rpartition(" ")[0] + " once"
        script = [("write another on the same matter", other), (other, bad)]
        [found], _ = made(row, script, most=1.0, least_lure=-0.5)
        assert found["rejected"]["text"] == bad and found["instruction_similarity"] > 0.9
        assert -0.5 <= found["lure"] <= 1
