"""AutoMathCritique on three real rows: flawed paths, critiques step by step, and what these lead an actor to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import pyarrow as pa
from rather.core.paid import Reply
from rather.core.stage import Drop
from rather.filters.refine_success import RefineSuccess, RefineSuccessGate
from rather.synth.critique import CritiqueStage
from rather.synth.critique_records import critic_prompt
from rather.synth.flawed_paths import FlawedPaths

from ..judges import judged, pairs
from .scripted import REFUSAL, opened, ran, real_pairs, row_of, signed


def solved(data: Path, k: int, script: Sequence[tuple[Any, Any]]) -> tuple[Any, Any, dict[str, Any]]:
    """Flawed paths to row k's problem, the model, and the row."""
    row = real_pairs(data, "gsm8k_solutions.jsonl.gz")[k]
    found, model = ran(FlawedPaths(samples=1), row, script)
    return found if isinstance(found, Drop) else [opened(one) for one in found], model, row


ON, INSERT = "Beginning of a solution", "Reply with JSON"


def erring(data: Path, k: int) -> tuple[str, dict[str, Any]]:
    """A sound reply to the order row k gives for an error, and the error it reports."""
    _, model, _ = solved(data, k, [(INSERT, "none"), ("", REFUSAL)])
    order = next(text for text in model.asked if INSERT in text)
    step, kind = int(order.split("Step: ")[1].split("\n")[0]), order.split("Kind: ")[1].split(" ")[0]
    error = {"mistake_step": step, "mistake_type": kind, "mistake_description": "It is not 8."}
    return json.dumps(error | {"steps": ["It is 8.", "A: 8"], "wrong_answer": "8"}), error


def path(row: Mapping[str, Any], way: str, right: int, steps: Sequence[str], **error: Any) -> dict[str, Any]:
    """A row whose solution keeps `right` lines of the right one, before these steps."""
    kept = row["chosen"]["text"].split("\n")[:right]
    labels = [True] * right + ([False] if error else [None]) + [None] * (len(steps) - 1)
    params = {"right_steps": right} | error | ({"strength": "clear"} if error else {})
    nothing = dict.fromkeys(("mistake_step", "mistake_type", "mistake_description"))
    return nothing | error | {
        "chosen": row["chosen"], "rejected": signed("\n".join([*kept, *steps]), "synth.flawed_paths", way, params),
        "verdict": "prefer", "flaw": way, "right_steps": right, "judged_margin": None,
        "steps": [{"text": t, "label": label} for t, label in zip([*kept, *steps], labels, strict=True)],
    }  # fmt: skip


def test_automath_paths(data: Path) -> None:
    """All three ways come out wrong; none does: right, refused, no error; one does: cut off, right again, put in."""
    reply, error = erring(data, 0)
    wrong = real_pairs(data, "gsm8k_solutions.jsonl.gz")[0]["rejected"]["text"]
    found, model, row = solved(data, 0, [(INSERT, reply), (ON, "A: 98765"), ("", wrong)])
    beginning = next(text for text in model.asked if ON in text).split(f"{ON}\n")[1].split("\n\nCarry")[0]
    assert found == [
        path(row, "sample", 0, wrong.split("\n")),
        path(row, "continue", len(beginning.strip().split("\n")), ["A: 98765"]),
        path(row, "insert", error["mistake_step"] - 1, ["It is 8.", "A: 8"], **error),
    ]
    found, model, _ = solved(data, 1, [(INSERT, "none"), (ON, REFUSAL), ("", "A: 20")])
    assert found == Drop("no flawed path", {"attempts": 3}) and len(model.asked) == 4, "no JSON is asked for anew"
    reply, error = erring(data, 2)
    found, _, row = solved(data, 2, [(INSERT, reply), (ON, "A: 64"), ("", Reply("The discount", "length"))])
    assert found == [path(row, "insert", error["mistake_step"] - 1, ["It is 8.", "A: 8"], **error)]


MISSED = "Step 1: Wrong - the four eggs of the muffins are left out\nConclusion: wrong"
STRICT = "Step 1: Correct - so it is\nStep 2: Wrong - forty cups are too many\nConclusion: wrong"
TOLD = "Step 1: Wrong - it comes to 64\nConclusion: wrong"


def criticised(data: Path, k: int, side: str, reply: str) -> tuple[Any, dict[str, Any]]:
    """What the critic's reply on an answer of row k makes, and what the critic was asked about."""
    seed = real_pairs(data, "gsm8k_solutions.jsonl.gz")[k]
    row = row_of(seed["prompt"][0]["content"], chosen=seed[side]["text"], reference=seed["chosen"]["text"])
    stage = CritiqueStage(grain="steps", truth="column", tell_reference=True)
    found, _ = ran(stage, row, [("one step after the other", reply)])
    return found if isinstance(found, Drop) else [opened(one) for one in found], row


def step_row(row: Mapping[str, Any], text: str, right: bool, labels: Sequence[bool | None]) -> dict[str, Any]:
    """The row of a critique that calls an answer wrong which is right, or is not."""
    question, response = row["prompt"][0]["content"], row["chosen"]["text"]
    params = {
        "grain": "steps", "format": "full", "of": "chosen", "temperature": 0.3, "top_p": 0.95,
        "reference_shown": True, "hint": None,
    }  # fmt: skip
    return {
        "question": question, "response": response, "response_from": "chosen", "response_right": right,
        "prompt": critic_prompt(question, response), "rationale_format": "full", "candidates": None,
        "chosen": signed(text, "synth.critique", "critique", params), "rejected": None, "verdict": None,
        "critique": {"text": text, "critic": "scripted", "score": None, "verdict": "wrong"},
        "critique_verdict": "wrong", "verdict_ok": not right, "first_error_step": labels.index(False) + 1,
        "steps": [{"text": t, "label": label} for t, label in zip(response.split("\n"), labels, strict=True)],
    }  # fmt: skip


def test_step_critiques(data: Path) -> None:
    """The critic agrees with the reference; disagrees with it; contradicts itself."""
    found, row = criticised(data, 0, "rejected", f"{MISSED} [END]")
    assert found == [step_row(row, MISSED, False, [False, None, None])]
    found, row = criticised(data, 1, "chosen", f"{STRICT} [END]")
    assert found == [step_row(row, STRICT, True, [True, False, None, None])]
    assert criticised(data, 2, "rejected", "Step 1: Correct\nConclusion: wrong [END]")[0] == Drop(
        "critique: unparsable"
    )


UNHEARD = "Step 1: Wrong - no"
TRIED = ((0, "rejected", MISSED), (1, "chosen", STRICT), (2, "rejected", TOLD), (0, "rejected", UNHEARD))
"""Rows, which of their answers, and a critique of it."""


def refined(data: Path) -> tuple[pa.Table, dict[str, list[Any]], Any]:
    """The critiques tried, what four revisions by each and four fresh answers come to, and the actor."""
    rows = real_pairs(data, "gsm8k_solutions.jsonl.gz")
    questions = [row["prompt"][0]["content"] for row in rows]
    batch = pairs(
        *(("criticise", text, None) for *_, text in TRIED),
        question=[questions[k] for k, *_ in TRIED], response=[rows[k][side]["text"] for k, side, _ in TRIED],
        reference=[rows[k]["chosen"]["text"] for k, *_ in TRIED], response_right=[False, True, False, False],
    )  # fmt: skip
    says = {
        MISSED: cycle(["A: 18", "A: 18", "A: 26", "A: 18"]), STRICT: cycle(["A: 20", "A: 25"]), TOLD: cycle(["A: 64"]),
        UNHEARD: cycle([REFUSAL]), questions[0]: cycle(["A: 18", *["A: 26"] * 3]), questions[1]: cycle(["A: 20"]),
        questions[2]: cycle(["A: 77"]),
    }  # fmt: skip

    def rule(text: str) -> str:
        return next(next(turns) for begin, turns in says.items() if text.startswith(begin))

    return batch, *judged(RefineSuccess(model="judge", k=4, baseline=4), batch, rule)


def test_what_critiques_lead_to(data: Path) -> None:
    """A critique that helps, one that breaks what was right, one that tells the result, one nobody revises by.

    The first leads 3 of 4 revisions right where 1 of 4 fresh answers is: usefulness 3/4 - 1/4, and 3 of 4 have
    another result than the answer. The second leaves 2 of 4 right where all fresh ones are: 1/2 - 1.
    """
    batch, found, actor = refined(data)
    assert list(zip(*found.values(), strict=True)) == [
        (0.5, 0.75, 0.25, 0.75, False, "ok"), (-0.5, 0.5, 1.0, 0.5, False, "ok"), (1.0, 1.0, 0.0, 1.0, True, "ok"),
        (None, None, None, None, False, "refused"),
    ]  # fmt: skip
    assert len(actor.requests) == 4 * (4 + 4), "fresh answers are asked for once a row"
    scored = pa.table({**found, "response_right": batch["response_right"]})
    assert RefineSuccessGate().why_drop(scored).to_pylist() == [
        None, "breaks a right response", "tells the result", "revisions not judged",
    ]  # fmt: skip
