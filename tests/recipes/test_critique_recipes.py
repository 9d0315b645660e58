"""Recipes of critiques: rows end to end, calls as the header says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from rather.core.view import RunView
from rather.synth.critique_records import critic_prompt

from .faking import calls, faked, recorded, shipped, stored, written

TWO = ["How many eggs are left of 16?", "How many cups are left of 9?"]
SOLVED = ["16 - 7 = 9 are left.\nThe answer is: 9", "9 - 2 = 7 are left.\nThe answer is: 7"]
BOTCHED = ["16 - 3 = 13 are left.\nThe answer is: 13", "9 - 1 = 8 are left.\nThe answer is: 8"]
REFERENCE = ["#### 9", "#### 7"]
FINE, FLAWED = "All of it holds.\nConclusion: right [END]", "Too little is taken off.\nConclusion: wrong [END]"
NAMES = ["first", "second", "third", "fourth"]


def worked(texts: list[str]) -> dict[str, Any]:
    return {"prompt": TWO, "chosen": texts, "reference": REFERENCE}


def tables(folder: Path, name: str = "data") -> list[dict[str, Any]]:
    return list(pq.read_table(folder / "run" / name / "data").to_pylist())


def test_pitfall_cft_no_shard_is_overwritten_and_no_input(tmp_path: Path) -> None:
    rows = {"prompt": TWO * 2, "chosen": SOLVED + BOTCHED, "reference": REFERENCE * 2}
    script = [(text, FINE) for text in SOLVED] + [(text, FLAWED) for text in BOTCHED]
    view = faked("cft", rows, tmp_path, script, "write.parquet.rows_per_file=1")
    found = tables(tmp_path)
    assert pq.read_table(tmp_path / "rows.parquet").to_pydict() == rows, "the input stays as it was"
    assert calls(view) == 4 * 1 and len(list((tmp_path / "run" / "data" / "data").glob("*.parquet"))) == 4
    assert sorted(row["input"] for row in found) == sorted(
        f"Question:\n{q}\n\nSolution:\n{a}" for q, a in zip(TWO * 2, SOLVED + BOTCHED, strict=True)
    )
    assert [row["critique_verdict"] for row in found].count("wrong") == 2 and all(row["verdict_ok"] for row in found)
    assert all("[END]" not in row["output"] and row["instruction"].startswith("Read the question") for row in found)


def test_pitfall_cft_verdicts_that_lean_are_evened_out(tmp_path: Path) -> None:
    rows = {"prompt": TWO * 2, "chosen": SOLVED + BOTCHED, "reference": REFERENCE * 2}
    script = [(SOLVED[0], FINE), ("Solution", FLAWED)]
    view = faked("cft", rows, tmp_path, script)
    assert sorted(row["critique_verdict"] for row in tables(tmp_path)) == ["right", "wrong"]
    told = {line["measure"]: line["value"] for line in view.facts["diagnose.critiques"]["measures"]}
    assert told["says wrong"] == 0.75 and told["true verdicts on right responses"] == 0.5


def test_step_critique(tmp_path: Path) -> None:
    said = "Step 1: Wrong - {}\nConclusion: wrong [END]"
    revised = ["The answer is: 9"] * 6 + ["The answer is: 13"] * 4
    script: list[Any] = [
        (["one step after the other", BOTCHED[0].split("\n")[0]], said.format("more is used up")),
        (["one step after the other", BOTCHED[1].split("\n")[0]], said.format("it should be 7")),
        ("Write the whole answer anew", revised),
        ("Work the problem out", "The answer is: 13"),
    ]
    view = faked("step-critique", worked(BOTCHED), tmp_path, script)
    assert calls(view) == 2 * 21
    [row] = tables(tmp_path)
    assert row["output"].startswith("Step 1: Wrong - more is used up") and row["first_error_step"] == 1
    assert (row["chosen_usefulness"], row["chosen_usefulness_refined"]) == (0.6, 0.6)
    dropped = {count.stage: count.dropped for count in view.funnel}["filter.refine_success"]
    assert dict(dropped) == {"tells the result": 1}


def reviews(labels: list[str], keep: list[int]) -> list[Any]:
    """Four critics with a flaw each, its label, and the merge."""
    unit = {"criterion": "truth", "quote": "13", "severity": 2, "suggestion": ""}
    flaws = [json.dumps({"units": [unit | {"flaw": f"flaw {k}"}]}) for k in range(4)]
    crucial = {"task": "Count.", "criteria": [{"name": "truth", "details": ["right"]}], "reference": "Nine."}
    return [
        ("You prepare the review", json.dumps(crucial)),
        ("You review reviews", json.dumps({str(k): label for k, label in enumerate(labels, 1)})),
        ("You are an editor", json.dumps({"keep": keep, "critique": "Seven are used.", "score": 3})),
        ("You review responses", flaws[0]),
    ]


def test_multi_critique(tmp_path: Path) -> None:
    rows = {"prompt": TWO[:1], "chosen": BOTCHED[:1]}
    view = faked("multi-critique", rows, tmp_path, reviews(["correct", "trivial", "no_flaw", "correct"], [1]))
    [row] = written(tmp_path)
    assert calls(view) == 7 and row["completion"] == "Seven are used.\nScore: 3"
    assert row["spans"] == [{"start": 9, "end": 11, "kind": "truth", "severity": 2.0, "comment": "flaw 0"}]
    assert row["prompt"].endswith(f"Solution:\n{BOTCHED[0]}") and row["response"] == BOTCHED[0]


def test_marv(tmp_path: Path) -> None:
    """Every critic names one flaw; a critic that names another is told apart by its own script."""
    rows = {"prompt": TWO[:1], "chosen": BOTCHED[:1]}
    flaw = {"criterion": "truth", "quote": "13", "flaw": "Seven are used.", "severity": 3, "suggestion": ""}
    script = [
        (["You revise responses", "Seven are used."], "Nine are left."),
        (["You revise responses", "Too long."], "A few are left."),
        ("You revise responses", "Some are left."),
        ("# Answer\nNine", "9"), ("# Answer\nA few", "3"), ("# Answer\nSome", "4"),
        *reviews(["correct", "trivial", "correct", "correct"], [1])[:3],
    ]  # fmt: skip
    lists = {name: json.dumps({"units": [flaw]}) for name in NAMES}
    lists["second"] = json.dumps({"units": [flaw | {"flaw": "Too long.", "severity": 1}]})
    told = {name: [*script, ("You review responses", units)] for name, units in lists.items()}
    told["second"][:3] = [(texts, reply.replace("left", "left over")) for texts, reply in script[:3]]
    told["judge"] = script
    view = scripted("marv", rows, tmp_path, told)
    [row] = written(tmp_path)
    assert calls(view) == 19
    assert "Seven are used." in row["chosen"] and "Too long." in row["rejected"]
    scores = [row[f"rev_score_{side}"] for side in ("chosen", "rejected", "control")]
    assert scores == [9.0, 3.0, 4.0] and row["n_revisers"] == 2 and row["margin"] == 4.0


def scripted(name: str, rows: dict[str, Any], folder: Path, told: dict[str, Any]) -> RunView:
    """A shipped recipe with a script of its own for each model."""

    def fake(nick: str) -> dict[str, str]:
        return {"use": "fake_chat", "name": nick, "script": recorded(folder / f"{nick}.jsonl", told[nick])}

    return shipped(name, stored(rows, folder), folder / "run", fake)


def test_scrit(tmp_path: Path) -> None:
    critiques = [
        ("Step 1: 16 - 3", f"Step 1: Wrong - more is used\nConclusion: wrong\nCorrected solution:\n{SOLVED[0]}\n[END]"),
        ("Step 1: 9 - 2", "Step 1: Correct\nStep 2: Correct\nConclusion: right\n[END]"),
    ]
    script = [("# Solved", "Take off what is used."), ("free of errors", "yes"), *critiques]
    view = faked("scrit", worked([BOTCHED[0], SOLVED[1]]), tmp_path, script)
    assert calls(view) == 2 * 3
    found = sorted(written(tmp_path), key=lambda row: str(row["critique_verdict"]))
    assert [row["critique_verdict"] for row in found] == ["right", "wrong"]
    assert found[1]["correction"] == SOLVED[0] and "used" not in found[1]["prompt"]
    assert {line["measure"]: line["value"] for line in view.facts["diagnose.critiques"]["measures"]}[
        "says wrong"
    ] == 0.5


def test_critic_rm(tmp_path: Path) -> None:
    rows = {"prompt": TWO, "chosen": SOLVED, "rejected": BOTCHED}
    scores = zip([*SOLVED, *BOTCHED], (9, 3, 2, 8), strict=True)
    script = [
        ("# Reviews", "All in all."),
        *((f"review\n{text}", f"Good.\nScore: {score}") for text, score in scores),
    ]
    view = faked("critic-rm", rows, tmp_path, script)
    assert calls(view) == 22 + 20, "no merge where the scores conflict"
    pairs = tables(tmp_path, "pairs")
    assert [(row["consistency"], row["noise_score"]) for row in pairs] == [("agree", 0.0), ("conflict", 1.0)]
    critiques = tables(tmp_path, "critiques")
    assert [row["completion"][0]["content"] for row in critiques] == ["All in all.\nScore: 9", "All in all.\nScore: 2"]
    assert critiques[0]["prompt"][0]["content"] == critic_prompt(TWO[0], SOLVED[0], "score")[0]["content"]


def test_con_j(tmp_path: Path) -> None:
    rows = {"prompt": TWO, "chosen": SOLVED, "rejected": BOTCHED}
    said = {k: json.dumps({"reason": f"{k} it is", "better": k}) for k in (1, 2)}
    script = [
        ("Argue for answer 1", said[1]),
        ("Argue for answer 2", said[2]),
        ("# Answer 1", [said[1], said[2]] * 4),
    ]
    view = faked("con-j", rows, tmp_path, script)
    found = written(tmp_path)
    assert calls(view) == 2 * 10 and len(found) == 2 * 4
    assert [row["pair_type"] for row in found].count("preamble") == 2
    assert all(json.loads(row["chosen"])["better"] == row["better_answer"] for row in found)
    assert all(json.loads(row["rejected"])["better"] != row["better_answer"] for row in found)
    assert not any("Argue for" in row["prompt"] for row in found)


def test_cut(tmp_path: Path) -> None:
    judgments = ["Too few are taken off.", None] * 10
    rows = {"prompt": TWO * 10, "chosen": [f"{text} ({k})" for k, text in enumerate(BOTCHED * 10)]}
    source = stored(rows | {"judgment": judgments}, tmp_path)
    view = shipped("cut", source, tmp_path / "run", lambda _: {"use": "fake_causal_lm"})
    found = tables(tmp_path)
    views = [row["view"] for row in found]
    assert {name: views.count(name) for name in set(views)} == {"align_n": 10, "misalign": 10, "align_p": 2}
    marked = [row for row in found if row["view"] == "misalign" and row["spans"]]
    assert len(marked) > 5 and calls(view) == 0
    for row in marked:
        text = row["rejected"]["text"]
        assert all(text[s["start"] : s["end"]].strip() and s["severity"] > 1.1 for s in row["spans"])
    assert all("Too few are" in row["prompt"][0]["content"] for row in found if row["view"] == "align_n")


def test_critique_rl(tmp_path: Path) -> None:
    right = "Step 1: Wrong - more is used\nConclusion: wrong [END]"
    blind = "Step 1: Correct\nStep 2: Correct\nConclusion: right [END]"
    vague = "Step 1: Wrong - somehow\nConclusion: wrong [END]"
    script: list[Any] = [
        ("one step after the other", [right, blind, vague, blind.replace("Correct\n", "Correct - so it is\n")]),
        (["Write the whole answer anew", "more is used", TWO[0]], SOLVED[0]),
        (["Write the whole answer anew", "more is used", TWO[1]], SOLVED[1]),
        ("Write the whole answer anew", "The answer is: 1"),
        ("Work the problem out", "The answer is: 2"),
    ]
    view = faked("critique-rl", worked(BOTCHED), tmp_path, script)
    found = written(tmp_path)
    told = [(row["chosen_critique_reward"], row["rejected_critique_reward"]) for row in found]
    assert told == [(1.2, -1.0)] * 2 and all("more is used" in row["chosen"] for row in found)
    assert [row["margin"] for row in found] == [2.2] * 2 and not any(row["response_right"] for row in found)
    assert calls(view) == 2 * 9


def test_sr_nle(tmp_path: Path) -> None:
    propose = {"insertions": [{"word": w, "before": "eggs"} for w in ("brown", "cheap", "large", "broken")]}
    script = [
        ("Propose 4 single words", json.dumps(propose)),
        ("Explain in two or three", "There were sixteen."),
        (["Is the explanation true", "explanation\nThere were"], "What of the eggs?"),
        (["Is the explanation true", "explanation\nEggs"], "Which eggs?"),
        (["Is the explanation true", "explanation\nSome"], "How so?"),
        (["# Remarks on it\nWhat"], "Eggs were counted."),
        (["# Remarks on it\nWhich"], "Some are of no use."),
        (["# Remarks on it\nHow"], "The broken ones are of no use."),
        ("broken eggs", "The answer is: 0"),
        ("eggs", "The answer is: 9"),
    ]  # fmt: skip
    view = faked("sr-nle", {"prompt": TWO[:1]}, tmp_path, script)
    [row] = written(tmp_path)
    assert calls(view) == 13 and row["inserted_word"] == "broken" and row["flipped_from"] == "The answer is: 9"
    assert (row["chosen"], row["rejected"]) == ("The broken ones are of no use.", "There were sixteen.")
    facts = view.facts["diagnose.counterfactual_unfaithfulness"]
    assert [line["value"] for line in facts["measures"]] == [1.0, 0.0, -1.0]
