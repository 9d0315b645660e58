"""Critique fine-tuning on three real problems: true, false and unreadable critiques; the rows in full."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.synth.critique import CritiqueStage
from rather.synth.critique_records import steps_of

from .scripted import Script, made, message, ran, real_solutions

ASKED = (
    "Read the question and the solution below. Say whether the solution is right: name what is wrong in it, if "
    'anything is, and end with the line "Conclusion: right" or "Conclusion: wrong".'
)
RIGHT, WRONG = "Every step holds.\nConclusion: right", "A step does not follow.\nConclusion: wrong"
NO_VERDICT, REFUSAL, CUT = "It is hard to say.", "I'm sorry, I can't help with that.", Reply(RIGHT, "length")


def about(row: dict[str, Any], side: str, **columns: Any) -> dict[str, Any]:
    """The columns that say what a critic is asked about."""
    question, response = row["prompt"][0]["content"], row[side]["text"]
    return {
        "prompt": [message(f"{ASKED}\nQuestion:\n{question}\n\nSolution:\n{response}")], "question": question,
        "response": response, "response_from": side, "candidates": None, "rejected": None, "verdict": None,
    } | columns  # fmt: skip


def critic(text: str, seed: int = 7, **params: Any) -> dict[str, Any]:
    """A critique as an answer."""
    usual = {"grain": "answer", "format": "full", "of": "pair", "reference_shown": False, "hint": None}
    return made(text, "synth.critique", "critique", seed, **usual | {"temperature": 0.3, "top_p": 0.95} | params)


def record(row: dict[str, Any], side: str, text: str, right: bool | None, ok: bool | None, **params: Any) -> Any:
    """A whole row of critique fine-tuning."""
    said = text.rpartition(" ")[2]
    return about(row, side) | {
        "response_right": right, "rationale_format": params.get("format", "full"), "chosen": critic(text, **params),
        "critique": {"text": text, "critic": "scripted", "score": None, "verdict": said}, "critique_verdict": said,
        "verdict_ok": ok,
    }  # fmt: skip


def replies(row: dict[str, Any], of_chosen: Any, of_rejected: Any) -> Script:
    return [
        (f"# Solution\n{row['chosen']['text']}\n", of_chosen), (f"# Solution\n{row['rejected']['text']}\n", of_rejected)
    ]  # fmt: skip


def test_cft_records(data: Path) -> None:
    """True verdicts; a false one, and a refusal; none that can be read. Then truths that are not known."""
    stage = CritiqueStage(of="pair", truth="column")
    rows = real_solutions(data)
    before = deepcopy(rows)
    both, _ = ran(stage, rows[0], replies(rows[0], f"{RIGHT} [END]", f"{WRONG} [END]\nand more"))
    assert both == [record(rows[0], "chosen", RIGHT, True, True), record(rows[0], "rejected", WRONG, False, True)]
    by_side, _ = ran(CritiqueStage(of="pair", truth="sides"), rows[0], replies(rows[0], RIGHT, WRONG))
    assert by_side == both
    one, _ = ran(stage, rows[1], replies(rows[1], WRONG, REFUSAL))
    assert one == [record(rows[1], "chosen", WRONG, True, False)]
    none, model = ran(stage, rows[2], replies(rows[2], NO_VERDICT, CUT))
    assert none == Drop("critique: unparsable") and len(model.asked) == 4, "both are asked once more"
    assert rows == before, "what is criticised stays as it was"
    blind = CritiqueStage(of="pair", truth="sides", rationale_format=("verdict", "brief_attributed"))
    found, _ = ran(blind, rows[0] | {"verdict": "tie"}, [("Give no reasons", RIGHT), ("# Solution", WRONG)])
    assert found == [
        record(rows[0], side, text, None, None, format=kind)
        for side in ("chosen", "rejected")
        for text, kind in ((RIGHT, "verdict"), (WRONG, "brief_attributed"))
    ]
    assert ran(CritiqueStage(), rows[1] | {"chosen": {"text": " "}}, [])[0] == Drop("no answer to criticise")
    assert ran(CritiqueStage(), rows[1] | {"prompt": []}, [])[0] == Drop("no prompt")


def test_cft_pairs(data: Path) -> None:
    """Opposite verdicts on both answers; on one; on none, or of a truth that is not known."""
    stage = CritiqueStage(of="pair", truth="column", form="pairs", n=2)

    def pair(row: dict[str, Any], side: str, texts: tuple[str, str], seeds: tuple[int, int]) -> dict[str, Any]:
        chosen, rejected = (critic(text, seed) for text, seed in zip(texts, seeds, strict=True))
        whole = record(row, side, texts[0], side == "chosen", True)
        del whole["critique"]
        return dict(whole, chosen=chosen, rejected=rejected, verdict="prefer")

    rows = real_solutions(data)
    both, _ = ran(stage, rows[0], replies(rows[0], [WRONG, RIGHT], [WRONG, RIGHT]))
    assert both == [pair(rows[0], "chosen", (RIGHT, WRONG), (8, 7)), pair(rows[0], "rejected", (WRONG, RIGHT), (7, 8))]
    one, _ = ran(stage, rows[1], replies(rows[1], [RIGHT, NO_VERDICT], [RIGHT, WRONG]))
    assert one == [pair(rows[1], "rejected", (WRONG, RIGHT), (8, 7))]
    agreed = replies(rows[2], RIGHT, WRONG)
    assert ran(stage, rows[2], agreed)[0] == Drop("no critiques of opposite verdicts")
    unknown = rows[2] | {"reference": None}
    assert ran(stage, unknown, agreed)[0] == Drop("not known whether the response is right")


def test_cft_candidates(data: Path) -> None:
    """Critiques scored by their truth; without one; one candidate whose critiques cannot be read."""
    stage = CritiqueStage(of="candidates", truth="column", form="candidates", n=2)
    for k, row in enumerate(real_solutions(data)):
        texts = [row["chosen"]["text"], row["rejected"]["text"]]
        listed = [{"text": texts[0], "model": "small"}, None, {"text": texts[1]}]
        asked = row | {"candidates": listed, "reference": None if k == 1 else row["reference"]}
        found, _ = ran(stage, asked, replies(row, NO_VERDICT if k == 2 else [RIGHT, WRONG], [WRONG, RIGHT]))
        expected = []
        for side, source, said in (("chosen", "small", (RIGHT, WRONG)), ("rejected", "candidate 2", (WRONG, RIGHT))):
            expected.append(about(row, side, response_from=source) | {
                "candidates": [critic(text, seed, of="candidates") for seed, text in enumerate(said, 7)],
                "chosen": None, "response_right": None if k == 1 else side == "chosen", "rationale_format": "full",
                "critique_verdict": [text.rpartition(" ")[2] for text in said],
                "verdict_ok": [None, None] if k == 1 else [1.0, 0.0],
            })  # fmt: skip
        assert found == (expected[1:] if k == 2 else expected)


def test_cft_steps(data: Path) -> None:
    """Both told step by step; a conclusion against its steps is left out; so are steps without a line."""
    shown = {"grain": "steps", "reference_shown": True, "hint": "flaw"}
    stage = CritiqueStage(of="pair", truth="column", tell_reference=True, grain="steps", hint="flaw")
    rows = [row | {"flaw": "something is left out"} for row in real_solutions(data)]
    fine = "\n".join(f"Step {k}: Correct - it follows" for k in range(1, 5)) + "\nConclusion: right"
    second = "Step 1: Correct\nStep 2: Wrong - two are for $2 each\nConclusion: wrong"
    first = "Step 1: Wrong - each chicken has 3 cups\nConclusion: wrong"

    def stepwise(
        row: dict[str, Any], side: str, text: str, ok: bool, labels: list[bool | None], error: int | None
    ) -> Any:
        steps = [{"text": t, "label": v} for t, v in zip(steps_of(row[side]["text"]), labels, strict=True)]
        told = record(row, side, text, side == "chosen", ok, **shown)
        return told | {"steps": steps, "first_error_step": error}

    def said(row: dict[str, Any], of_chosen: str, of_rejected: str) -> Script:
        return [(f"Step 1: {row[side]['text'].splitlines()[0]}\n", text)
                for side, text in (("chosen", of_chosen), ("rejected", of_rejected))]  # fmt: skip

    both, model = ran(stage, rows[0], said(rows[0], fine, second))
    assert both == [
        stepwise(rows[0], "chosen", fine, True, [True] * 4, None),
        stepwise(rows[0], "rejected", second, True, [True, False, None], 2),
    ]
    assert ["something is left out" in text for text in model.asked] == [False, True], "of a right one nothing is told"
    one, _ = ran(stage, rows[1], said(rows[1], first, first.replace("wrong", "right")))
    assert one == [stepwise(rows[1], "chosen", first, False, [False, None, None, None], 1)]
    assert ran(stage, rows[2], said(rows[2], RIGHT, second.replace("Step 1", "Step 4")))[0] == Drop(
        "critique: unparsable"
    )


def test_cft_flaws(data: Path) -> None:
    """No flaw, and flaws with and without a place; one severity off the scale; no JSON."""
    stage = CritiqueStage(of="pair", truth="column", grain="spans")
    rows = real_solutions(data)
    quoted = {"criterion": "sum", "quote": "16 - 3", "flaw": "4 more go", "severity": 3, "suggestion": "take 7"}
    lost = {"criterion": "unit", "quote": "no such words", "flaw": "no unit", "severity": 1, "suggestion": ""}
    missing = lost | {"quote": "", "flaw": "no check"}
    clean = json.dumps({"units": [], "conclusion": "right"})
    flawed = json.dumps({"units": [quoted, lost, missing, lost | {"flaw": " "}], "conclusion": "wrong"})
    at = rows[0]["rejected"]["text"].index("16 - 3")
    none = record(rows[0], "chosen", "No flaw was found.\nConclusion: right", True, True, grain="spans")
    text = (
        '1. sum (fatal). At "16 - 3": 4 more go Instead: take 7\n2. unit (minor). At "no such words": no unit\n'
        "3. unit (minor). no check\nConclusion: wrong"
    )
    both, _ = ran(stage, rows[0], replies(rows[0], clean, flawed))
    assert both == [
        none | {"units": [], "spans": [], "quotes_lost": 0},
        record(rows[0], "rejected", text, False, True, grain="spans") | {
            "units": [unit | {"severity": float(unit["severity"]), "agent": "scripted", "meta_label": None}
                      for unit in (quoted, lost, missing)],
            "spans": [{"start": at, "end": at + 6, "kind": "sum", "severity": 3.0, "comment": "4 more go"}],
            "quotes_lost": 1,
        },
    ]  # fmt: skip
    off = json.dumps({"units": [quoted | {"severity": 4}], "conclusion": "wrong"})
    one, _ = ran(stage, rows[1], replies(rows[1], off, clean))
    assert one == [
        record(rows[1], "rejected", "No flaw was found.\nConclusion: right", False, False, grain="spans")
        | {"units": [], "spans": [], "quotes_lost": 0}
    ]
    assert ran(stage, rows[2], replies(rows[2], RIGHT, ""))[0] == Drop("critique: unparsable")
