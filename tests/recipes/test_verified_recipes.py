"""Recipes that sample, verify, refine and spoil: rows end to end, calls as the header says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rather.synth.refusal_texts import REFUSALS
from rather.synth.sandbox import sandbox_fault

from .faking import Script, calls, faked, written

SUMS = ["What is 2 + 3?", "What is 4 + 5?"]
SHUT_IN = pytest.mark.skipif(sandbox_fault() is not None, reason="programs cannot be shut in on this machine")


def prefers(*better: str) -> list[tuple[list[str], str]]:
    """A judge for whom answers that begin so win in both orders."""
    return [(["You compare two answers", f"# Answer {shown}\n{text}"], shown) for text in better for shown in "AB"]


def lost(view: Any) -> dict[str, int]:
    """How many rows went for which reason."""
    return {reason: n for count in view.funnel for reason, n in count.dropped.items()}


def test_rest_em(tmp_path: Path) -> None:
    rows = {"prompt": [*SUMS, "What is 1 + 1?"], "reference": ["5", "9", "2"]}
    right = [f"{'So, ' * k}the answer is 5" for k in range(12)]
    script = [(SUMS[0], [*right, *["it is 6"] * 20]), (SUMS[1], ["9", *["8", "ten"] * 15, "7"]), ("1 + 1", "3")]
    view = faked("rest-em", rows, tmp_path, script, "synth.verify_keep.verifier=number")
    found = written(tmp_path)
    assert [row["prompt"] for row in found] == [SUMS[0]] * 10 + [SUMS[1]]
    assert len({row["completion"] for row in found[:10]} & set(right)) == 10 and found[10]["completion"] == "9"
    assert (found[0]["n_right"], found[0]["n_wrong"], found[10]["n_unreadable"]) == (12, 1, 1)
    assert found[0]["right_rate"] == pytest.approx(12 / 13) and lost(view) == {"no right answer": 1}
    assert calls(view) == 32 * 3


def test_rest_em_as_pairs(tmp_path: Path) -> None:
    script = [(SUMS[0], ["5", "it is 5", "6", "it is 6"])]
    sets = ("synth.verify_keep.emit=pairs", "write.dialect=trl_preference", "synth.verify_keep.verifier=number")
    faked("rest-em", {"prompt": SUMS[:1], "reference": ["5"]}, tmp_path, script, *sets)
    assert sorted((row["chosen"], row["rejected"]) for row in written(tmp_path)) == [("5", "6"), ("it is 5", "it is 6")]


@SHUT_IN
def test_rest_em_of_programs(tmp_path: Path) -> None:
    rows = {"prompt": ["Write f(x), the square of x."], "tests": ["assert f(3) == 9"]}
    script = [("Write f", ["```python\ndef f(x): return x * x\n```", "```python\ndef f(x): return x\n```"])]
    faked("rest-em", rows, tmp_path, script, "synth.verify_keep.verifier=tests", "synth.verify_keep.reference=tests")
    [row] = written(tmp_path)
    assert "x * x" in row["completion"] and (row["n_right"], row["n_wrong"]) == (1, 1)


def test_weaker_model(tmp_path: Path) -> None:
    script = [*prefers("It is 5"), ("You compare two answers", "tie"), (SUMS[0], "Perhaps 6."), (SUMS[1], "Nine.")]
    view = faked("weaker-model", {"prompt": SUMS, "chosen": ["It is 5", "9"]}, tmp_path, script)
    [row] = written(tmp_path)
    assert (row["chosen"], row["rejected"], row["confirmed_p"]) == ("It is 5", "Perhaps 6.", 1.0)
    assert calls(view) == 3 * 2 and lost(view) == {"not confirmed: judged a tie": 1}


def refined_script(better: str) -> Script:
    """Five refinements, of which one heeds the feedback; who compares prefers the answer given, in both orders."""
    told = "# New text\nIt is 5."
    heeds: list[tuple[str | list[str], str]] = [
        (["incorporate the feedback? Answer", told], "Yes"),
        (["taken up", "It is 5."], "Yes"),
        ("Yes or No", "No"),
    ]
    refined = ["Five of them.", "It is 5.", "Five, I think.", "Five.", "5, that is."]
    return [
        *prefers(better, "Nine, all told."), *heeds, ("True", "False"),
        ("heeds the feedback and is better", refined),
    ]  # fmt: skip


FIRST = {"prompt": SUMS[:1], "chosen": ["Six."], "feedback": ["It is one less."]}


def test_ilf(tmp_path: Path) -> None:
    view = faked("ilf", FIRST, tmp_path, refined_script("It is 5."))
    [row] = written(tmp_path)
    assert (row["chosen"], row["rejected"], row["feedback"]) == ("It is 5.", "Six.", "It is one less.")
    assert row["refinement_score"] == pytest.approx(3 / 5) and row["n_refinements"] == 5 and calls(view) == 32


def test_pitfall_ilf_heeding_is_not_being_better(tmp_path: Path) -> None:
    """The refinement that heeds the feedback most is no pair where a judge holds the first answer better."""
    view = faked("ilf", FIRST, tmp_path, refined_script("Six."))
    assert written(tmp_path) == [] and lost(view) == {"not confirmed: judged better": 1} and calls(view) == 32


@SHUT_IN
def test_ilf_code(tmp_path: Path) -> None:
    rows = {
        "prompt": ["Write f(x), the square of x.", "Write g(x), its cube."], "feedback": ["It adds.", "It is no cube."],
        "chosen": ["def f(x): return x + x", "def g(x): return x"],
        "tests": [["assert f(3) == 9", "assert f(-1) == 1"], ["assert g(2) == 8"]],
    }  # fmt: skip
    script = [
        ("Write f(x)", ["def f(x): return x * x", "def f(x): return x ** 3", "def f(x):\n    return x ** 2"]),
        ("Write g(x)", "def g(x): return x * x"),
    ]
    view = faked("ilf-code", rows, tmp_path, script)
    [row] = written(tmp_path)
    assert row["chosen"] in ("def f(x): return x * x", "def f(x):\n    return x ** 2")
    assert row["rejected"] == "def f(x): return x + x" and (row["n_refinements"], row["n_verified"]) == (3, 2)
    assert calls(view) == 30 * 2 and lost(view) == {"no refinement is right": 1}


def test_rlkf(tmp_path: Path) -> None:
    prompts = [*SUMS, "How many grains of sand are there?"]
    script = [
        (SUMS[0], ["5"] * 9 + ["6"]), (SUMS[1], ["9", "8", "7", "6", "5"] * 2), ("sand", ["9", "I don't know."]),
    ]  # fmt: skip
    view = faked("rlkf", {"prompt": prompts, "reference": ["5", "9", None]}, tmp_path, script)
    found = written(tmp_path)
    told = [tuple("refusal" if row[s] in REFUSALS else row[s] for s in ("chosen", "rejected")) for row in found]
    assert told[:3] == [("5", "refusal"), ("refusal", "6"), ("5", "6")]
    assert told[3][0] == "refusal" and told[4] == ("9", told[4][1]) and len(told) == 5
    assert [row["boundary"] for row in found] == ["known"] * 3 + ["unknown"] * 2
    assert lost(view) == {"neither known nor unknown": 1} and calls(view) == 11 * 3
    assert view.facts["diagnose.reliability"]["rows"] == 2


SOLVED = {"prompt": SUMS[:1], "chosen": ["2 and 3 are\n5 in all\n#### 5"], "reference": ["5"]}


def spoilt() -> list[tuple[list[str], str]]:
    """A reply to every request for an error, whatever its step and kind."""
    return [
        (["Reply with JSON alone", f"Step: {step}\n", f"Kind: {kind} "], json.dumps({
            "mistake_step": step, "mistake_type": kind, "steps": ["6 in all", "#### 6"], "wrong_answer": "6",
            "mistake_description": "It is 5.",
        }))
        for step in (1, 2, 3) for kind in ("representation", "planning", "execution")
    ]  # fmt: skip


@pytest.mark.parametrize("emit", ["pairs", "corrections"])
def test_self_correction(tmp_path: Path, emit: str) -> None:
    script = [*spoilt(), ("somebody began", "No: 5.\n#### 5"), ("a checker", "no, 5.\n#### 5"), (SUMS[0], "#### 6")]
    view = faked("self-correction", SOLVED, tmp_path, script, f"synth.inject_error.emit={emit}")
    [row] = written(tmp_path)
    assert row["rejected"].endswith("6 in all\n#### 6") and row["chosen"].endswith("#### 5")
    assert (row["chosen"] == SOLVED["chosen"][0]) == (emit == "pairs")
    assert (row["mistake_description"], row["wrong_answer"]) == ("It is 5.", "6")
    figures = {line["measure"]: line["value"] for line in view.facts["diagnose.blind_spot"]["measures"]}
    assert figures["blind spot"] == 1.0 and figures["accuracy on others' errors"] == 1.0
    assert figures["answers with a marker of correction"] == float(emit == "corrections")
    assert calls(view) == (3 if emit == "pairs" else 4)


def test_automath_flawed(tmp_path: Path) -> None:
    script = [*spoilt(), ("Beginning of a solution", ["7 in all\n#### 7", "#### 5"]), (SUMS[0], ["#### 8", "#### 5"])]
    view = faked("automath-flawed", SOLVED, tmp_path, script)
    found = written(tmp_path)
    ways = [row["flaw"] for row in found]
    assert {"sample", "continue"} <= set(ways) and ways.count("insert") in (1, 2) and calls(view) == 6
    assert all(row["chosen"] == SOLVED["chosen"][0] and not row["rejected"].endswith("#### 5") for row in found)
    assert all((row["mistake_step"] is not None) == (row["flaw"] == "insert") for row in found)


def test_halueval(tmp_path: Path) -> None:
    rows = {"prompt": ["Who named Milhouse?"], "chosen": ["Matt Groening"], "knowledge": ["Groening named him."]}
    wrong = ("How the new answer goes wrong", ["Al Jean", "Sam Simon"])
    script = [*prefers("Matt Groening"), ("most believable", "B"), wrong]
    view = faked("halueval", rows, tmp_path, script)
    [row] = written(tmp_path)
    assert row["chosen"] == "Matt Groening" and row["rejected"] in ("Al Jean", "Sam Simon")
    assert row["hallucination"] in ("comprehension", "factualness", "specificity", "inference") and calls(view) == 5
