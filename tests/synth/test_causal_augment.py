"""Causal augmentation on recorded replies: upgraded, degraded, and every reason why an edit is not kept."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from rather.core.errors import CallError
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.synth.causal_augment import CausalAugment

from .scripted import ran, row_of

GOOD, BAD = "Water boils at 100 degrees Celsius at sea level.", "Water boils at about ninety degrees, I think."
FACT = {"name": "correctness", "meaning": "The temperature it gives is right."}
SAFE = {"name": "conditions", "meaning": "It says at which pressure."}
WORSE, BETTER = "Water boils at 90 degrees Celsius at sea level.", "Water boils at one hundred degrees, I think."
ROW = row_of("At what temperature does water boil?", chosen=GOOD, rejected=BAD, prompt_hash=5)
LISTS = [
    ("List the attributes", json.dumps({"items": [FACT, SAFE]})),
    ("# Attributes", json.dumps({"items": [FACT]})),
]
SOUND: list[tuple[Any, Any]] = [
    *LISTS,
    (["weak or strong", GOOD], "strong"),
    (["weak or strong", BAD], "weak"),
    ("Attribute to make worse", WORSE),
    ("Attribute to make better", BETTER),
    ("Was the order carried out", "yes"),
]


def test_both_answers_in_full() -> None:
    found, model = ran(CausalAugment(), ROW, SOUND)
    shared = {"origin_hash": 5, "augment_faults": []}
    origin = {"stage": "synth.causal_augment", "model": "scripted", "seed": 7}
    unrated = {"judged_margin": None}
    blank = dict.fromkeys(("attribute", "direction", "base_side", "length_log_ratio", "judged_margin"))

    def made(text: str, method: str, base: str, ratio: float) -> dict[str, Any]:
        params = json.dumps(
            {"attribute": FACT, "base": base, "strength": "clear", "log_ratio": ratio},
            sort_keys=True,
            separators=(",", ":"),
        )
        return {
            "text": text, "turns": None, "image": None, "model": "scripted",
            "made_by": {**origin, "method": method, "params": params},
        }  # fmt: skip

    assert found == [
        {"augmentation": "original", "verdict": "prefer", **blank, **shared},
        {
            "chosen": {"text": GOOD}, "rejected": made(WORSE, "degrade", "chosen", 0.0), "verdict": "prefer",
            "augmentation": "causal", "attribute": "correctness", "direction": "degrade", "base_side": "chosen",
            "length_log_ratio": 0.0, **unrated, **shared,
        },
        {
            "chosen": made(BETTER, "upgrade", "rejected", 0.0), "rejected": {"text": BAD}, "verdict": "prefer",
            "augmentation": "causal", "attribute": "correctness", "direction": "upgrade", "base_side": "rejected",
            "length_log_ratio": 0.0, **unrated, **shared,
        },
    ]  # fmt: skip
    assert len(model.asked) == 8 == CausalAugment().calls_a_row()
    assert all(GOOD not in text and BAD not in text for text in model.asked[:2]), "attributes come from the prompt"
    verify = [text for text in model.asked if "Was the order" in text]
    assert any(f"# Before\n{GOOD}\n\n# After\n{WORSE}" in text and "Make it worse" in text for text in verify)
    assert any("Make it better in this attribute and in no other: correctness" in text for text in verify)


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ((["weak or strong", GOOD], "neither here nor there"), "standing: unparsable"),
        (("Attribute to make worse", "I'm sorry, I can't help with that."), "degrade: refused"),
        (("Attribute to make worse", Reply("Water", "length")), "degrade: truncated"),
        (("Attribute to make worse", GOOD + " "), "nothing rewritten"),
        (("Attribute to make worse", WORSE * 3), "length ratio out of bounds"),
        ((["Was the order", "Make it worse"], "no"), "edit not verified"),
        ((["Was the order", "Make it worse"], "perhaps"), "verify: unparsable"),
    ],
)
def test_an_edit_that_is_not_kept_says_why(entry: Any, fault: str) -> None:
    found, _ = ran(CausalAugment(), ROW, [entry, *SOUND])
    assert [row["augmentation"] for row in found] == ["original", "causal"]
    assert all(row["augment_faults"] == [fault] for row in found)
    alone, _ = ran(CausalAugment(original=False, sides=("chosen",)), ROW, [entry, *SOUND])
    assert alone.reason == fault and (alone.values is None or list(alone.values) == ["reply"])


def test_pitfall_rewrites_drift_in_length() -> None:
    """9 words made of 9: ln 1; a bound of 1.2 lets 10 of 9 pass (ln 1.11) and not 12 of 9 (ln 1.33)."""
    for more, passes in (("Surely, ", True), ("Well, I am sure: ", False)):
        script = [("Attribute to make worse", more + WORSE), *SOUND]
        found, _ = ran(CausalAugment(sides=("chosen",), length_ratio=1.2), ROW, script)
        assert [row["augmentation"] for row in found][1:] == (["causal"] if passes else [])
        if passes:
            assert found[1]["length_log_ratio"] == pytest.approx(math.log(10 / 9))


def test_a_list_of_attributes_that_cannot_be_read_drops_the_row() -> None:
    assert ran(CausalAugment(), ROW, [("List the attributes", "correctness")])[0].reason == "attributes: unparsable"
    lists = [LISTS[0], ("# Attributes", "none")]
    assert ran(CausalAugment(), ROW, lists)[0].reason == "refine: unparsable"
    with pytest.raises(CallError, match="down"):
        ran(CausalAugment(), ROW, [("List the attributes", CallError("down"))])


def test_more_attributes_without_revision() -> None:
    stage = CausalAugment(refine=False, each=2, sides=("chosen",))
    found, model = ran(stage, ROW, [LISTS[0], *SOUND[2:]])
    assert sorted(row["attribute"] for row in found[1:]) == ["conditions", "correctness"]
    assert len(model.asked) == 7 == stage.calls_a_row()
    few, _ = ran(CausalAugment(refine=False, each=9, attributes=1, sides=("chosen",)), ROW, [LISTS[0], *SOUND[2:]])
    assert [row["attribute"] for row in few] == [None, "correctness"]


def test_a_tie_stays_a_tie_and_what_is_made_of_it_is_none() -> None:
    found, _ = ran(CausalAugment(), {**ROW, "verdict": "tie"}, SOUND)
    assert [row["verdict"] for row in found] == ["tie", "prefer", "prefer"]


@pytest.mark.parametrize(("strength", "how"), [("subtle", "slightly"), ("clear", "clearly"), ("gross", "very much")])
def test_a_strength_is_told_to_the_writer(strength: str, how: str) -> None:
    found, model = ran(CausalAugment(strength=strength), ROW, SOUND)
    assert json.loads(found[1]["rejected"]["made_by"]["params"])["strength"] == strength
    for word in ("better", "worse"):
        assert sum(f"Make a reply {how} {word}" in text for text in model.asked) == 1


def rating(text: str, points: str) -> tuple[list[str], str]:
    return (["from 1 (useless", f"# Answer\n{text}"], points)


MILD, GROSS = "Water boils at 99 degrees Celsius at sea level.", "Water boils at 5 degrees Celsius at sea level."
DEGREES = [
    (["make worse", "slightly worse"], MILD),
    (["make worse", "clearly worse"], WORSE),
    (["make worse", "very much worse"], GROSS),
]
RATINGS = [rating(GOOD, "9"), rating(MILD, "8"), rating(WORSE, "4"), rating(GROSS, "1")]


@pytest.mark.parametrize(
    ("first", "band", "text", "strength", "margin"),
    [
        ("gross", (4, 6), WORSE, "clear", 5.0),
        ("clear", (0.5, 2), MILD, "subtle", 1.0),
        ("subtle", (4, 6), WORSE, "clear", 5.0),
        ("clear", (7, 9), GROSS, "gross", 8.0),
        ("clear", (4, 6), WORSE, "clear", 5.0),
    ],
)
def test_a_margin_is_aimed_at(first: Any, band: Any, text: str, strength: str, margin: float) -> None:
    """What is rated too far below its base is degraded less the next time, what is too near more."""
    stage = CausalAugment(sides=("chosen",), strength=first, target_margin=band)
    [_, found], model = ran(stage, ROW, [*DEGREES, *RATINGS, *SOUND])
    assert found["rejected"]["text"] == text and found["judged_margin"] == margin
    params, tries = json.loads(found["rejected"]["made_by"]["params"]), 1 + (first != strength)
    told = {"strength": strength, "target": list(band), "margin": margin, "tries": tries}
    assert {name: params[name] for name in told} == told
    assert found["rejected"]["made_by"]["seed"] == 7 + tries - 1
    assert len(model.asked) == 2 + 2 + 3 * tries <= stage.calls_a_row()


def test_an_upgrade_is_aimed_at_as_well() -> None:
    ratings = [rating(BAD, "3"), rating(BETTER, "8")]
    stage = CausalAugment(sides=("rejected",), target_margin=(4, 6))
    [_, found], _ = ran(stage, ROW, [*ratings, *SOUND])
    assert found["chosen"]["text"] == BETTER and found["judged_margin"] == 5.0


def test_a_margin_out_of_reach_is_told_with_the_margin() -> None:
    far = {"sides": ("chosen",), "target_margin": (2, 3), "tries": 2}
    found, _ = ran(CausalAugment(**far), ROW, [*DEGREES, *RATINGS, *SOUND])
    assert [row["augment_faults"] for row in found] == [["margin out of reach"]]
    alone, _ = ran(CausalAugment(original=False, **far), ROW, [*DEGREES, *RATINGS, *SOUND])
    assert alone == Drop("margin out of reach", {"margin": 1.0, "strength": "subtle"})
    assert "smaller margin first" in CausalAugment(target_margin=(3, 2)).faults()[0]
    assert CausalAugment(target_margin=(2, 3)).calls_a_row() == 2 + 2 * (2 + 9)


def test_an_absent_answer_is_not_rewritten() -> None:
    found, _ = ran(CausalAugment(original=False, sides=("rejected",)), {**ROW, "rejected": None}, LISTS)
    assert found == Drop("no answer to rewrite")
