"""Recipes with judges run to written pairs on a fake judge, and a second run pays for nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rather.cli import api
from rather.core.view import RunView

from .faking import recorded, shipped

CALLS = {"judge-pairs": 4, "self-judge": 8}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty rows with a pair and four candidates each, from the quickstart's answers."""
    source = (api.RECIPES / "quickstart.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in source.splitlines()]
    folder = tmp_path_factory.mktemp("judged")
    with (
        (folder / "pairs.jsonl").open("w", encoding="utf-8") as pairs,
        (folder / "candidates.jsonl").open("w") as lists,
    ):
        for k in range(40):
            answers = [lines[(k + 31 * step) % len(lines)]["answer"] for step in range(4)]
            print(json.dumps({"prompt": lines[k]["prompt"], "chosen": answers[0], "rejected": answers[1]}), file=pairs)
            print(json.dumps({"prompt": lines[k]["prompt"], "candidates": answers}), file=lists)
    return folder


def faked(name: str, rows: Path, out: Path, **fake: Any) -> RunView:
    """Run a shipped recipe with every model replaced by a fake one."""
    source = rows / ("pairs.jsonl" if name in CALLS else "candidates.jsonl")
    return shipped(name, source, out, lambda nick: {"use": "fake_chat", "name": nick} | fake)


def script(rows: Path) -> str:
    """Recorded replies: questions to ask; for each answer its facts, of which every third answer has a false one."""
    entries = [("Write at most", "1. Is it right?\n2. Is it whole?"), ("Is it false?", "No."), ("Is it true?", "Yes.")]
    lines = [json.loads(line) for line in (rows / "candidates.jsonl").read_text(encoding="utf-8").splitlines()]
    for k, answer in enumerate(sorted({answer for line in lines for answer in line["candidates"]})):
        facts = [{"fact": "a", "question": "Is it true?"}, {"fact": "b", "question": "Is it false?"}]
        entries.append((f"# Answer\n{answer}\n\nList", json.dumps({"claims": facts[: 1 + (k % 3 == 0)]})))
    return recorded(rows / "script.jsonl", entries)


@pytest.mark.parametrize("name", ["alpacafarm-annotators", "judge-pairs", "panel-of-judges", "rlaif-v", "self-judge"])
def test_a_recipe_of_judges_writes_pairs_and_pays_once(tmp_path: Path, rows: Path, name: str) -> None:
    view = faked(name, rows, tmp_path / "first", script=script(rows))
    counts = {count.stage: count for count in view.funnel}
    written = pq.read_table(tmp_path / "first" / "data" / "data")
    assert 0 < written.num_rows <= 80 and {"prompt", "chosen", "rejected"} <= set(written.column_names)
    calls = sum(count.calls for count in counts.values())
    assert calls > 0 and all(count.failed == 0 for count in counts.values())
    if name == "rlaif-v":
        assert set(written["rejected_claims_score"].to_pylist()) == {-1.0}
        assert set(written["chosen_claims_score"].to_pylist()) == {0.0}
    if name in CALLS:
        assert calls == CALLS[name] * 40
    again = faked(name, rows, tmp_path / "second", script=script(rows))
    assert sum(count.calls for count in again.funnel) == 0
    assert sum(count.calls_reused for count in again.funnel) >= calls
    assert pq.read_table(tmp_path / "second" / "data" / "data").equals(written)


def test_no_number_without_a_sound_verdict(tmp_path: Path, rows: Path) -> None:
    faults = {"unparsable": 0.2, "refused": 0.1, "truncated": 0.1}
    view = faked("judge-pairs", rows, tmp_path / "run", script=script(rows), **faults)
    table = view.frame("judge.pairwise").table(["judge_p", "judge_p_outcome"])
    outcomes = table["judge_p_outcome"].to_pylist()
    assert {"ok", "unparsable", "refused"} <= set(outcomes)
    assert all((p is not None) == (o == "ok") for p, o in zip(table["judge_p"].to_pylist(), outcomes, strict=True))
    assert {count.stage: count for count in view.funnel}["filter.margin"].dropped["no margin"] == sum(
        outcome != "ok" for outcome in outcomes
    )


def test_a_panel_tells_how_far_it_agrees(tmp_path: Path, rows: Path) -> None:
    facts = faked("panel-of-judges", rows, tmp_path / "run").facts["diagnose.panel"]
    assert facts["answers"] == 160 and len(facts["judges"]) == 3
    assert -0.5 < facts["low"] <= facts["alpha"] <= facts["high"] < 0.5, "fakes agree by chance alone"
