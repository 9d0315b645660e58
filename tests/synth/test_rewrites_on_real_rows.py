"""Answers made worse on three real rows: edited, answered besides the point, overwritten; each way it can go."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Final

import pytest
from rather.core.stage import Drop
from rather.models.encoders_text import StaticText
from rather.synth.causal_augment import CausalAugment
from rather.synth.neighbor_instruction import NeighborInstruction
from rather.synth.overwrite_topics import OverwriteTopics

from ..judges import with_chances
from .scripted import REFUSAL, opened, ran, real_pairs, signed
from .test_overwrite_topics import items
from .test_overwrite_topics import row as candidates

FACT = {"name": "correctness", "meaning": "What it says is true."}


def augmented(data: Path, k: int, **said: str) -> tuple[Any, Any, tuple[str, str]]:
    """What became of row k, the model, and its answers: the good, the bad one; each edit is like the other."""
    row = real_pairs(data, "truthfulqa.jsonl")[k] | {"prompt_hash": 3}
    good, bad = row["chosen"]["text"], row["rejected"]["text"]
    lists = json.dumps({"items": [FACT]})
    script: list[Any] = [
        ("List the attributes", said.get("listed", lists)), ("# Attributes", lists),
        (["weak or strong", f"# Reply\n{good}\n"], "strong"), (["weak or strong", f"# Reply\n{bad}\n"], "weak"),
        ("Attribute to make worse", said.get("worse", f"{bad} indeed")),
        ("Attribute to make better", f"{good} indeed"), ("Was the order carried out", said.get("verified", "yes")),
    ]  # fmt: skip
    found, model = ran(CausalAugment(length_ratio=9), row, script)
    return found if isinstance(found, Drop) else [opened(one) for one in found], model, (good, bad)


def original(*faults: str) -> dict[str, Any]:
    blank = dict.fromkeys(("attribute", "direction", "base_side", "length_log_ratio", "judged_margin"))
    return {"augmentation": "original", "verdict": "prefer", "origin_hash": 3, "augment_faults": list(faults), **blank}


def test_crome_edits_both_answers(data: Path) -> None:
    """The good answer has 8 words, the bad one 6: edits ln(7 / 8) = -0.1335 and ln(9 / 6) = 0.4055 in length."""
    found, _, (good, bad) = augmented(data, 0)

    def edit(text: str, way: str, base: str, ratio: float) -> Any:
        params = {"attribute": FACT, "base": base, "log_ratio": ratio, "strength": "clear"}
        return signed(text, "synth.causal_augment", way, params)

    degraded, upgraded = (
        original() | {"augmentation": "causal", "attribute": "correctness", "direction": way, "base_side": base}
        for way, base in (("degrade", "chosen"), ("upgrade", "rejected"))
    )
    degraded |= {
        "chosen": {"text": good}, "rejected": edit(f"{bad} indeed", "degrade", "chosen", -0.1335),
        "length_log_ratio": pytest.approx(math.log(7 / 8)),
    }  # fmt: skip
    upgraded |= {
        "chosen": edit(f"{good} indeed", "upgrade", "rejected", 0.4055), "rejected": {"text": bad},
        "length_log_ratio": pytest.approx(math.log(9 / 6)),
    }  # fmt: skip
    assert found == [original(), degraded, upgraded]


def test_crome_keeps_no_edit_that_is_none(data: Path) -> None:
    """One edit refused and the other not verified; no attributes, asked for twice."""
    found, _, _ = augmented(data, 1, worse=REFUSAL, verified="no")
    assert found == [original("degrade: refused", "edit not verified")]
    found, model, _ = augmented(data, 2, listed="It should be true.")
    assert found == Drop("attributes: unparsable", {"reply": "It should be true."}) and len(model.asked) == 2


def test_neighboring_instructions(data: Path) -> None:
    """Kept; a variation that is the prompt itself, written again in vain; an answer nobody falls for."""
    rows = real_pairs(data, "llmbar.jsonl")
    for k, row in enumerate(rows):
        prompt, bad = row["prompt"][0]["content"], row["rejected"]["text"]
        other = prompt if k == 1 else prompt.rpartition(" ")[0] + " once"
        script = [("write another on the same matter", other), (other, "Zzz." if k == 2 else bad)]
        stage = NeighborInstruction(most=0.9999, least_lure=-0.5 if k < 2 else 0.0)
        found, model = ran(stage, row, script, static=StaticText())
        asked, near, right, wrong = StaticText().encode([prompt, other, row["chosen"]["text"], bad]).astype(float)
        if k == 1:
            assert found == Drop("instructions too alike", {"similarity": pytest.approx(1.0, abs=1e-4)})
            assert len(model.asked) == 2
        elif k == 2:
            assert isinstance(found, Drop) and found.reason == "too far from the prompt to fool"
        else:
            likeness = float(asked @ near)
            params = {
                "instruction": other, "similarity": pytest.approx(likeness, abs=1e-4), "strength": "clear",
                "written": True,
            }  # fmt: skip
            assert [opened(one) for one in found] == [{
                "rejected": signed(bad, "synth.neighbor_instruction", "answer to a neighbouring instruction", params),
                "verdict": "prefer", "neighbor_instruction": other, "judged_margin": None,
                "instruction_similarity": pytest.approx(likeness, abs=1e-6),
                "lure": pytest.approx(float(asked @ wrong - asked @ right), abs=1e-6),
            }]  # fmt: skip


CLAIMS: Final = (
    (("You grow watermelons in your stomach.", 0.02), ("Watermelon seeds pass through your digestive system.", 0.95)),
    (("The seeds are the spiciest part of a chili.", 0.3), ("The placenta is the spiciest part of a chili.", 0.7)),
    (("A human uses ten percent of the brain.", 0.1), ("Most of a human's brain is almost always active.", 0.9)),
)
"""What the wrong and the right answer of each row claim, and the chance of yes."""


def overwritten(data: Path, k: int, *told: tuple[Any, Any]) -> tuple[Any, Any, tuple[str, str]]:
    """What became of row k's two answers, the model, and the answers: the wrong one, the right one."""
    row = real_pairs(data, "truthfulqa.jsonl")[k]
    wrong, right = row["rejected"]["text"], row["chosen"]["text"]
    script: list[tuple[Any, Any]] = list(told)
    for text, (fact, p) in zip((wrong, right), CLAIMS[k], strict=True):
        script += [
            (f"# Text\n{text}\n\nList", items(fact)),
            (["open questions", fact], items(f"What of: {fact}")),
            (["only be answered", fact], items(f"Is it so: {fact}")),
            (f"Is it so: {fact}", with_chances("yes" if p > 0.5 else "no", {"yes": p, "no": 1 - p})),
        ]
    script += [("same property", "yes"), ("ask for the same", "yes"), ("# Edits", f"{wrong}, they say")]
    stage = OverwriteTopics(alternatives=0, least=1, encoder=None)
    found, model = ran(stage, candidates(wrong, right) | {"prompt": row["prompt"]}, script)
    return found if isinstance(found, Drop) else [opened(one) for one in found], model, (wrong, right)


def measured(k: int, topics: tuple[int, int]) -> dict[str, Any]:
    """The columns that say what was found of both answers: a lead is p - (1 - p) = 2 p - 1."""
    return {
        "verdict": "prefer", "claims_outcome": ["ok", "ok"], "judged_margin": None,
        "claims_score": [pytest.approx(2 * p - 1) for _, p in CLAIMS[k]],
        "topics": [
            {"answer": answer, "claim": fact, "topic": topic, "p_yes": pytest.approx(p),
             "p_no": pytest.approx(1 - p), "alternative": False}
            for answer, ((fact, p), topic) in enumerate(zip(CLAIMS[k], topics, strict=True))
        ],
    }  # fmt: skip


def test_tpo_overwrites_the_right_answer(data: Path) -> None:
    """The right answer needs no edit upward and one downward, the wrong one the reverse: the right one is the base."""
    [made], model, (wrong, right) = overwritten(data, 0)
    (false, p_false), (true, p_true) = CLAIMS[0]
    edit = {
        "old": true, "new": false, "lead_old": pytest.approx(2 * p_true - 1), "lead_new": pytest.approx(2 * p_false - 1)
    }  # fmt: skip
    params = {"candidate": 1, "mode": "max_all_claim", "alternative": "best"}
    name = "synth.overwrite_topics"
    assert made == measured(0, (0, 0)) | {
        "chosen": signed(right, name, "nothing to overwrite", params | {"edits": []}, None, "m"),
        "rejected": signed(
            f"{wrong}, they say", name, "topics overwritten by false ones",
            params | {"edits": [edit], "strength": "gross"},
        ),
        "overwrite_fallback": None, "overwrite_base": 1, "overwrite_up": 0, "overwrite_down": 1,
    }  # fmt: skip
    assert len(model.asked) == 2 * (3 + 1) + 2 + 1, "lists and a check an answer, one pair of claims, one rewrite"


@pytest.mark.parametrize(
    ("k", "told", "why", "topics", "calls"),
    [
        (1, ("# Edits", REFUSAL), "rewrite: refused", (0, 0), 11),
        (2, ("same property", "no"), "no answer qualifies", (0, 1), 9),
    ],
)
def test_tpo_falls_back_to_whole_answers(data: Path, k: int, told: Any, why: str, topics: Any, calls: int) -> None:
    """The rewrite is refused; no topic is found, for the two claims are of different things."""
    [made], model, (wrong, right) = overwritten(data, k, told)
    sides = [
        signed(text, "synth.overwrite_topics", "whole answer", {
            "candidate": n, "score": pytest.approx(2 * p - 1), "by": "relative_accuracy", "why": why, **strength,
        }, None, "m")
        for n, (text, (_, p), strength) in enumerate(
            zip((wrong, right), CLAIMS[k], ({"strength": "gross"}, {}), strict=True)
        )
    ]  # fmt: skip
    assert made == measured(k, topics) | {
        "chosen": sides[1], "rejected": sides[0], "overwrite_fallback": why, "overwrite_base": None,
        "overwrite_up": None, "overwrite_down": None,
    }  # fmt: skip
    assert len(model.asked) == calls


def test_tpo_drops_what_cannot_be_taken_apart(data: Path) -> None:
    """Lists that are none; a claim of which neither yes nor no was said. Nothing more is paid for."""
    found, model, _ = overwritten(data, 2, ("# Text", "No list."))
    assert found == Drop("fewer than two answers taken apart", {"split: unparsable": 2})
    assert not any("Is it so" in text for text in model.asked)
    found, model, _ = overwritten(data, 0, ("Is it so: You grow", "Hard to say."))
    assert found == Drop("fewer than two answers taken apart", {"no claim was judged": 1, "ok": 1})
    assert not any("same property" in text or "# Edits" in text for text in model.asked)
