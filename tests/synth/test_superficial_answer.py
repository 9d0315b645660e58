"""Answers that only look good, on recorded replies: kept, given away, aimed at a margin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rather.core.errors import CallError
from rather.core.stage import Drop
from rather.models.encoders_text import StaticText
from rather.synth.superficial_answer import DEGREES, SuperficialAnswer

from .scripted import Scripted, ran, real_pairs, row_of

RIGHT = "Whales, dolphins and seals are mammals that live in the sea."
HOLLOW = "Three cheers for the list of all mammals that live in the sea."
ROW = row_of("List three mammals that live in the sea.", chosen=RIGHT)


def made(script: Any, **options: Any) -> tuple[Any, Scripted]:
    return ran(SuperficialAnswer(**options), ROW, script, static=StaticText())


@pytest.mark.parametrize("strength", ["subtle", "clear", "gross"])
def test_a_row_in_full(strength: Any) -> None:
    [found], model = made([("Write an example", HOLLOW)], strength=strength)
    origin = found["rejected"].pop("made_by")
    assert json.loads(origin.pop("params")) == {"strength": strength}
    assert origin == {"stage": "synth.superficial_answer", "method": "looks good", "model": "scripted", "seed": 7}
    assert found.pop("rejected") == {"text": HOLLOW, "turns": None, "image": None, "model": "scripted"}
    asked, good, bad = StaticText().encode([ROW["prompt"][0]["content"], RIGHT, HOLLOW]).astype(float)
    assert found.pop("lure") == pytest.approx(float(asked @ bad - asked @ good), abs=1e-6)
    assert found == {"verdict": "prefer", "judged_margin": None}
    assert DEGREES[strength] in model.asked[0] and "about 11 words" in model.asked[0]
    assert len(model.asked) == 1 == SuperficialAnswer().calls_a_row()


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (RIGHT + " ", "same answer"),
        ("Sea mammals.", "given away by its length"),
        (f"{HOLLOW} {HOLLOW} {HOLLOW}", "given away by its length"),
        ("Of all the many cups of tea I have had, none was green.", "too far from the prompt to fool"),
        ("I'm sorry, I can't help with that.", "write: refused"),
        ("", "write: unparsable"),
    ],
)
def test_an_answer_that_gives_itself_away_is_dropped(reply: str, reason: str) -> None:
    found, _ = made([("Write an example", reply)])
    assert isinstance(found, Drop) and found.reason == reason


def rating(text: str, points: str) -> tuple[list[str], str]:
    return (["from 1 (useless", f"# Answer\n{text}"], points)


def test_a_margin_is_aimed_at() -> None:
    """The first, clear one is 8 points worse, which is too much; the second, subtle one 3."""
    other = "Whales, dolphins and squids are mammals that live in the sea."
    script = [
        ("Write an example", [HOLLOW, other]),
        rating(RIGHT, "9"),
        rating(HOLLOW, "1"),
        rating(other, "6"),
    ]
    [found], model = made(script, judge="judge", target_margin=(2, 4))
    assert found["rejected"]["text"] == other and found["judged_margin"] == 3.0
    assert json.loads(found["rejected"]["made_by"]["params"]) == {
        "strength": "subtle", "target": [2, 4], "tries": 2, "margin": 3.0,
    }  # fmt: skip
    assert found["rejected"]["made_by"]["seed"] == 8
    assert DEGREES["clear"] in model.asked[1] and DEGREES["subtle"] in model.asked[3]
    assert len(model.asked) == 5 <= SuperficialAnswer(judge="judge", target_margin=(2, 4)).calls_a_row()
    assert made(script[:3], judge="judge", target_margin=(2, 4), tries=1)[0].reason == "margin out of reach"
    assert made([script[0], rating(RIGHT, "good")], judge="judge", target_margin=(2, 4))[0].reason == "rate: unparsable"


def test_a_target_needs_a_judge() -> None:
    assert len(SuperficialAnswer(target_margin=(4, 2)).faults()) == 2
    assert SuperficialAnswer().faults() == [] and SuperficialAnswer().models_named() == ("writer", "static")
    with pytest.raises(CallError, match="down"):
        made([("Write an example", CallError("down"))])
    assert ran(SuperficialAnswer(), ROW | {"chosen": None}, [], static=StaticText())[0] == Drop("no chosen answer")


def test_three_real_pairs(data: Path) -> None:
    for row in real_pairs(data, "llmbar.jsonl"):
        bad = row["rejected"]["text"]
        stage = SuperficialAnswer(length_ratio=10, least_lure=-1)
        [found], _ = ran(stage, row, [("Write an example", bad)], static=StaticText())
        assert found["rejected"]["text"] == bad and -1 <= found["lure"] <= 1
