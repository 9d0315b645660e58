"""Every shipped recipe checks, and runs end to end at small size."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rather.cli import api
from rather.core.view import RunView

from .faking import recorded

NEEDS_PATH = ("clean-feedback", "crm", "fifa", "train-external")


@pytest.fixture(scope="session")
def votes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hundred pairs from the quickstart rows: the right answer against another question's, some reversed."""
    rows = [json.loads(line) for line in (api.RECIPES / "quickstart.jsonl").read_text(encoding="utf-8").splitlines()]
    path = tmp_path_factory.mktemp("votes") / "votes.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for k in range(200):
            good, bad = rows[k]["answer"], rows[(k * 7 + 31) % len(rows)]["answer"]
            good, bad = (bad, good) if k % 8 == 0 else (good, bad)
            row = {"prompt": rows[k]["prompt"], "chosen": good, "rejected": bad, "source": "ab"[k % 2]}
            print(json.dumps(row), file=file)
        print(json.dumps(row), file=file)  # once more, to be found as a duplicate
    return path


def run(name: str, out: Path, *sets: str) -> RunView:
    """Run a shipped recipe."""
    return api.run(name, list(sets), out=out)


def test_every_recipe_says_what_it_is_for() -> None:
    for name, path in api.shipped_recipes().items():
        header = api.read_recipe(path).header
        for word in ("Paper:", "Command:", "Expect:", "Cost:"):
            assert word in header, f"{name} lacks {word}"
        assert f"rather run {name}" in header


def test_quickstart_ends_in_a_dataset_a_head_and_evidence(tmp_path: Path) -> None:
    view = run("quickstart", tmp_path / "run")
    counts = {count.stage: count for count in view.funnel}
    assert counts["read.rows"].rows_in == 354 and counts["select.fifa"].rows_out >= 250
    made = {row["made_by"]["method"] for row in view.frame("synth.corrupt").table(["rejected"])["rejected"].to_pylist()}
    assert made == {"topic_swap", "wrong_number", "negation", "wrong_entity", "truncation", "shuffled_steps"}
    table = pq.read_table(tmp_path / "run" / "data" / "data")
    assert {"prompt", "chosen", "rejected"} <= set(table.column_names)
    assert view.facts["train.reward_head"]["accuracy"] > 0.5
    assert {row["set"] for row in view.facts["diagnose.evidence"]["rows"]} == {"all rows", "kept", "random, same size"}
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "quickstart" in page and "http://" not in page.replace("http://www.w3.org", "")


def test_quickstart_with_a_judge_asks_twice_a_pair(tmp_path: Path) -> None:
    """A judge that knows the right answers, but for every tenth prompt says A whatever stands there."""
    lines = [json.loads(line) for line in (api.RECIPES / "quickstart.jsonl").read_text(encoding="utf-8").splitlines()]
    script = [([line["prompt"]], "A") for line in lines[:100:10]]
    script += [([line["prompt"], f"# Answer {ab}\n{line['answer']}"], ab) for line in lines[:100] for ab in "AB"]
    judge = {"use": "fake_chat", "name": "knows", "script": recorded(tmp_path / "script.jsonl", script)}
    view = api.run("quickstart", [f"models.judge={json.dumps(judge)}"], out=tmp_path / "run", limit=100)
    counts = {count.stage: count for count in view.funnel}
    asked = counts["synth.confirm_worse"]
    assert asked.rows_in > 80 and set(asked.dropped) == {"not confirmed: the orders disagree"}
    assert sum(count.calls for count in counts.values()) == 2 * asked.rows_in


@pytest.mark.parametrize("name", ["clean-feedback", "crm", "fifa"])
def test_recipes_on_pairs_run_to_their_evidence(tmp_path: Path, votes: Path, name: str) -> None:
    told = ["score.peer_review.noise=0.15"] if name == "clean-feedback" else []
    view = run(name, tmp_path / "run", f"read.path={votes}", *told)
    facts = view.facts
    assert facts["diagnose.evidence"]["heldout"] > 5
    written = sum(pq.read_table(path).num_rows for path in (tmp_path / "run" / "data" / "data").glob("*.parquet"))
    assert 0 < written <= 201
    if name == "clean-feedback":
        dropped: dict[str, int] = {}
        for count in view.funnel:
            dropped |= dict(count.dropped)
        assert dropped["duplicate"] == 1 and dropped["suspected flip"] > 0


def test_train_external_runs_the_command_on_the_written_data(tmp_path: Path, votes: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("import sys; print('rows in', sys.argv[2])")
    command = json.dumps([sys.executable, str(script), "--data", "{data}"])
    view = run("train-external", tmp_path / "run", f"read.path={votes}", f"train.command.command={command}")
    facts = view.facts["train.command"]
    assert f"rows in {facts['data']}" in Path(facts["log"]).read_text(encoding="utf-8")


def test_real_feedback_as_it_is(tmp_path: Path, data: Path) -> None:
    """1,169 dialogues with two empty answers on each side, one vote each."""
    path = data / "preferences" / "hh_harmless_test.jsonl.gz"
    view = run("clean-feedback", tmp_path / "run", f"read.path={path}")
    counts = {count.stage: count for count in view.funnel}
    assert counts["read.pairs"].rows_in == 1169
    reasons: dict[str, Any] = dict(counts["filter.rules"].dropped)
    assert sum(n for reason, n in reasons.items() if reason in ("no chosen answer", "no rejected answer")) >= 2
    assert 0 < counts["filter.peer_review"].dropped["suspected flip"] < 500
    evidence = view.facts["diagnose.evidence"]
    assert evidence["label"] == "noisy" and "no head can pass" in evidence["caveat"]
    assert (tmp_path / "run" / "report.html").exists()
