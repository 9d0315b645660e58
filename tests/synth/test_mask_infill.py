"""Masked copies: where masks stand, what is left out and why, on recorded replies."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rather.core.errors import CallError
from rather.core.stage import Drop
from rather.synth.mask_infill import MaskInfill
from rather.synth.masking import MASK, masked, smoothed

from .scripted import ran, real_pairs, row_of

TEXT = "A red bird sang in the old tree this morning."
ROW = row_of("What did you see?", chosen=TEXT)
AGAIN, FILLED = "This morning, in the old tree, a red bird sang.", "A red bird sat in the tall tree this morning."


def alike(first: str, second: str, value: Any) -> tuple[list[str], str]:
    reply = json.dumps({"reason": "so", "similarity": value})
    return ([f"# First text\n{first}", f"# Second text\n{second}"], reply)


SOUND = [
    ("Say the same in other words", AGAIN),
    ("Each <mask> stands", FILLED),
    alike(TEXT, AGAIN, 0.95),
    alike(TEXT, FILLED, 0.5),
]


@given(text=st.text(max_size=120), rate=st.floats(0, 1), seed=st.integers(0, 2**32), merge=st.sampled_from([0, 0.5, 1]))
@settings(max_examples=150, deadline=None)
def test_masks_hide_the_share_asked_for(text: str, rate: float, seed: int, merge: float) -> None:
    text = text.replace(MASK, "")
    found = masked(text, rate, Random(seed), merge)
    words = text.split()
    assert found == masked(text, rate, Random(seed), merge)
    left = [word for word in found.split() if word != MASK]
    if words:
        hidden = min(len(words), max(1, round(rate * len(words))))
        assert len(left) == len(words) - hidden
        assert (found.count(MASK) == hidden) if merge == 0 else (1 <= found.count(MASK) <= hidden)
    else:
        assert found == text


def test_masks_by_hand() -> None:
    """All of four words: without merging four masks, with it one; half of them keeps the layout."""
    text = "one two\n\nthree  four"
    assert masked(text, 1.0, Random(0), 0) == "<mask> <mask>\n\n<mask>  <mask>"
    assert masked(text, 1.0, Random(0), 1) == "<mask>"
    merged = sum(masked("a b", 1.0, Random(seed)).count(MASK) == 1 for seed in range(400))
    assert 160 < merged < 240
    assert smoothed(0) == 0.1 and smoothed(1) == pytest.approx(0.9)


def test_rows_in_full() -> None:
    row = ROW | {"other_answers": ["Bread, mostly.", TEXT, "In June.", "No."]}
    found, model = ran(MaskInfill(rates=(0.0, 0.3)), row, SOUND)
    gapped = next(text for text in model.asked if "Text with gaps" in text).split("# Text with gaps\n")[1]
    gapped = gapped.split("\n\nEach")[0]
    assert gapped.count(MASK) <= 3 and len([w for w in gapped.split() if w != MASK]) == 7

    def made(text: str, method: str, params: dict[str, Any], model: str | None) -> dict[str, Any]:
        told = json.dumps(params, sort_keys=True, separators=(",", ":"))
        origin = {"stage": "synth.mask_infill", "method": method, "params": told, "model": model, "seed": 7}
        return {"text": text, "turns": None, "image": None, "model": model, "made_by": origin}

    other = {"verdict": "prefer", "mask_rate": None, "similarity_raw": None, "similarity": 0.0, "mask_faults": []}
    other["judged_margin"] = None
    assert found == [
        {
            "rejected": made(AGAIN, "paraphrase", {"mask_rate": 0.0, "masked": None, "similarity": 0.95}, "scripted"),
            "verdict": "tie", "mask_rate": 0.0, "similarity_raw": 0.95, "similarity": pytest.approx(0.86),
            "mask_faults": [], "judged_margin": None,
        },
        {
            "rejected": made(FILLED, "fill", {"mask_rate": 0.3, "masked": gapped, "similarity": 0.5}, "scripted"),
            "verdict": "prefer", "mask_rate": 0.3, "similarity_raw": 0.5, "similarity": pytest.approx(0.5),
            "mask_faults": [], "judged_margin": None,
        },
        {"rejected": made("Bread, mostly.", "random other prompt", {"similarity": 0}, None), **other},
        {"rejected": made("In June.", "random other prompt", {"similarity": 0}, None), **other},
    ]  # fmt: skip
    assert len(model.asked) == 4 == MaskInfill(rates=(0.0, 0.3)).calls_a_row()


def test_pitfall_the_paraphrase_is_tied_to_the_rate_not_to_the_place() -> None:
    """The reference generator paraphrases the first item of a batch, whatever its rate."""
    found, model = ran(MaskInfill(rates=(0.3, 0.0)), ROW, SOUND)
    assert [row["mask_rate"] for row in found] == [0.3, 0.0]
    assert [row["rejected"]["text"] for row in found] == [FILLED, AGAIN]
    assert sum("Say the same" in text for text in model.asked) == 1


def test_pitfall_random_texts_are_not_smoothed() -> None:
    found, _ = ran(MaskInfill(rates=(0.3,), random=1), ROW | {"other_answers": ["In June."]}, SOUND)
    assert [row["similarity"] for row in found] == [pytest.approx(0.5), 0.0]
    raw, _ = ran(MaskInfill(rates=(0.0,), smooth=False), ROW, SOUND)
    assert raw[0]["similarity"] == raw[0]["similarity_raw"] == 0.95


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        (("Each <mask> stands", "A red <mask> sang."), "a mask is left"),
        (("Each <mask> stands", TEXT + "\n"), "nothing changed"),
        (("Each <mask> stands", "I'm sorry, I can't help with that."), "fill: refused"),
        ((["# Second text", FILLED], "very alike"), "similarity: unparsable"),
        ((["# Second text", FILLED], '{"reason": "so", "similarity": 7}'), "similarity: off_scale"),
    ],
)
def test_a_copy_that_is_left_out_says_why(entry: Any, fault: str) -> None:
    found, _ = ran(MaskInfill(rates=(0.0, 0.3)), ROW, [entry, *SOUND])
    assert [(row["mask_rate"], row["mask_faults"]) for row in found] == [(0.0, [fault])]
    assert ran(MaskInfill(rates=(0.3,)), ROW, [entry, *SOUND])[0] == Drop(fault, {fault: 1})


def test_repeats_and_crowds_of_one_likeness_are_left_out() -> None:
    found, _ = ran(MaskInfill(rates=(0.2, 0.3)), ROW, SOUND)
    assert len(found) == 1 and found[0]["mask_faults"] == ["repeats another copy"]
    crowd = [alike(TEXT, other, 0.95) for other in (AGAIN, FILLED)]
    found, _ = ran(MaskInfill(rates=(0.0, 0.3), per_label=1), ROW, [*SOUND[:2], *crowd])
    assert [(row["mask_rate"], row["mask_faults"]) for row in found] == [(0.0, ["one more of its likeness"])]


def test_other_ends() -> None:
    with pytest.raises(CallError, match="down"):
        ran(MaskInfill(rates=(0.3,)), ROW, [("Each <mask>", CallError("down"))])
    assert ran(MaskInfill(), ROW | {"chosen": None}, [])[0] == Drop("no chosen answer")


def test_three_real_answers(data: Path) -> None:
    for row in real_pairs(data, "llmbar.jsonl"):
        good, bad = row["chosen"]["text"], row["rejected"]["text"]
        script = [("Each <mask> stands", bad), alike(good, bad, 0.6)]
        found, model = ran(MaskInfill(rates=(0.5,)), row, script)
        [made] = found
        assert made["rejected"]["text"] == bad and made["similarity"] == pytest.approx(0.58)
        gapped = model.asked[0].split("# Text with gaps\n")[1].split("\n\nEach <mask>")[0]
        left = [word for word in gapped.split() if word != MASK]
        assert len(left) == len(good.split()) - round(0.5 * len(good.split()))
