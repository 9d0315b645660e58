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
        "verdict": "prefer", "neighbor_instruction": OTHER, 
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
