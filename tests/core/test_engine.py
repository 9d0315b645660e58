"""The engine's promises on small runs: conservation, the same bytes, resume, branches, budgets."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rather.core.errors import BudgetReached, RecipeError, StageFailed
from rather.core.meter import Budget
from rather.core.runs import open_run

from ..runs import CHAIN, run_text

ASK = """
name: ask
models:
  judge: {{use: demo_till, till: {till}}}
stages:
  - demo.read: {{rows: 60}}
  - demo.ask
  - demo.ask_all
  - demo.digest
"""


def paid(till: Path) -> list[str]:
    """What the fake endpoint was paid for, a line a reply."""
    return till.read_text().split() if till.exists() else []


def test_rows_are_conserved_with_equal_rows_in_the_input(tmp_path: Path) -> None:
    view = run_text(CHAIN, tmp_path / "run")
    for count in view.funnel:
        gone = sum(count.dropped.values()) + count.failed
        assert count.rows_in + count.made == count.rows_out + gone, count.stage
    counts = {count.stage: count for count in view.funnel}
    assert counts["demo.read"].rows_out == 2000
    assert 0 < counts["demo.short"].dropped["long"] < 2000
    assert counts["demo.copies"].made > 0 and counts["demo.copies"].dropped["no copies"] > 0
    assert counts["demo.top"].rows_out == 500


def test_ids_are_unique_and_equal_rows_share_their_hash(tmp_path: Path) -> None:
    view = run_text(CHAIN, tmp_path / "run")
    table = view.frame("demo.read").table(["id", "content_hash", "chosen", "prompt"])
    assert len(set(table["id"].to_pylist())) == 2000
    by_hash: dict[int, set[str]] = {}
    for row in table.to_pylist():
        by_hash.setdefault(row["content_hash"], set()).add(repr((row["prompt"], row["chosen"])))
    assert len(by_hash) == 53 and all(len(contents) == 1 for contents in by_hash.values())


@pytest.mark.parametrize(("batch", "workers"), [(1, 1), (7, 8), (1000, 1), (1000, 8)])
def test_batch_size_and_workers_change_no_byte(tmp_path: Path, batch: int, workers: int) -> None:
    text = CHAIN.replace("rows: 2000", "rows: 300")
    usual = run_text(text, tmp_path / "usual").facts["demo.digest"]["digest"]
    view = run_text(text, tmp_path / "other", batch=batch, workers=workers)
    assert view.facts["demo.digest"]["digest"] == usual
    for kind in ("dropped",):
        names = sorted(p.name for p in (tmp_path / "usual" / kind).iterdir())
        assert names == sorted(p.name for p in (tmp_path / "other" / kind).iterdir())
        for name in names:
            mine, theirs = (pq.read_table(tmp_path / run / kind / name) for run in ("usual", "other"))
            assert mine.to_pylist() == theirs.to_pylist()


def test_a_source_read_again_gives_the_same_rows_as_a_kept_one(tmp_path: Path) -> None:
    kept = run_text(CHAIN, tmp_path / "kept")
    again = run_text(CHAIN, tmp_path / "again", "demo.read.replay=true")
    assert kept.facts["demo.digest"]["digest"] == again.facts["demo.digest"]["digest"]
    assert (kept.homes[0] / "rows.parquet").exists() and not (again.homes[0] / "rows.parquet").exists()


def test_an_edited_stage_leaves_those_before_it_finished(tmp_path: Path) -> None:
    run_text(CHAIN, tmp_path / "run")
    view = run_text(CHAIN, tmp_path / "run", "demo.top.keep=100")
    reused = {count.stage for count in view.funnel if count.reused}
    assert reused == {"demo.read", "demo.chars", "demo.short", "demo.copies", "demo.rank"}
    assert view.facts["demo.digest"]["rows"] == 100
    back = run_text(CHAIN, tmp_path / "run")
    assert all(count.reused for count in back.funnel)


def test_the_ledger_says_which_row_why_and_by_what_value(tmp_path: Path) -> None:
    view = run_text(CHAIN, tmp_path / "run")
    ledger = view.dropped("demo.short").to_pylist()
    assert {entry["reason"] for entry in ledger} == {"long"}
    assert all(entry["value_chars"] > 40 for entry in ledger)
    payload = view.dropped_rows("demo.short", 5, ["id", "chosen", "place"]).to_pylist()
    assert [row["id"] for row in payload] == [entry["id"] for entry in ledger[:5]]
    assert all(len(row["chosen"]["text"]) > 40 for row in payload)
    assert [row["place"] for row in payload] == [entry["place"] for entry in ledger[:5]]


def test_a_failed_row_is_kept_with_its_error_and_tried_again(tmp_path: Path) -> None:
    text = CHAIN.replace("- demo.chars", "- demo.chars: {bad: 9}")
    first = run_text(text, tmp_path / "run")
    counts = {count.stage: count for count in first.funnel}
    failed = counts["demo.chars"].failed
    assert 0 < failed < 2000 and counts["demo.chars"].rows_out == 2000 - failed
    assert first.failed("demo.chars")["error"][0].as_py() == "ValueError: a length of 9"
    second = run_text(text, tmp_path / "run")
    state = {count.stage: count.reused for count in second.funnel}
    assert state["demo.read"] and not state["demo.chars"] and state["demo.short"] is False
    assert second.facts["demo.digest"]["digest"] == first.facts["demo.digest"]["digest"]


def test_a_stage_that_fails_on_every_row_stops_the_run(tmp_path: Path) -> None:
    text = "stages:\n  - demo.read: {rows: 53}\n  - demo.chars\n  - demo.ask: {}\n  - demo.digest"
    model = f"models: {{judge: {{use: demo_till, till: {tmp_path}/till, broken: 1.0}}}}\n"
    with pytest.raises(StageFailed, match="demo.ask: failed on every row"):
        run_text(model + text.replace("rows: 53", "rows: 3"), tmp_path / "run")
    assert not (tmp_path / "run" / ".making").exists()


def test_max_failed_is_respected(tmp_path: Path) -> None:
    text = "max_failed: 3\n" + CHAIN.replace("- demo.chars", "- demo.chars: {bad: 9}")
    with pytest.raises(StageFailed, match="more than max_failed=3"):
        run_text(text, tmp_path / "run")


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_until_takes_the_first_rows_and_stops(tmp_path: Path, batch: int) -> None:
    text = CHAIN.replace("- demo.copies", "- demo.copies:\n    until: {rows: 100}")
    view = run_text(text, tmp_path / "run", batch=batch)
    whole = run_text(CHAIN, tmp_path / "whole")
    counts = {count.stage: count for count in view.funnel}
    assert counts["demo.copies"].rows_out == 100 and counts["demo.read"].rows_in < 2000
    first = whole.frame("demo.copies").table(["id", "copy", "chars"]).slice(0, 100)
    assert view.frame("demo.copies").table(["id", "copy", "chars"]).to_pylist() == first.to_pylist()
    for count in view.funnel:
        assert count.rows_in + count.made == count.rows_out + sum(count.dropped.values()) + count.failed
    told = [(c.stage, c.rows_in, c.made, c.rows_out) for c in view.funnel]
    other = run_text(text, tmp_path / "other", batch=13)
    assert told == [(c.stage, c.rows_in, c.made, c.rows_out) for c in other.funnel]


def test_several_sources_one_stage_twice_and_a_skipped_stage(tmp_path: Path) -> None:
    text = """
name: mixed
stages:
  - demo.read: {rows: 100}
    as: first
  - demo.read: {rows: 40}
    as: second
  - demo.chars: {}
    inputs: [first, second]
  - demo.short: {most: 50}
  - demo.short: {most: 30}
    as: shorter
  - demo.rank: {}
    if: gpu and more
  - demo.digest
"""
    with pytest.raises(RecipeError, match="if: gpu and more is not understood"):
        run_text(text, tmp_path / "run")
    view = run_text(text.replace("gpu and more", "false"), tmp_path / "run")
    counts = {count.stage: count for count in view.funnel}
    assert counts["demo.chars"].rows_in == 140
    assert counts["demo.rank"].skipped == "if: false" and "rank" not in view.facts["demo.digest"]["columns"]
    assert counts["shorter"].rows_out < counts["demo.short"].rows_out
    ids = view.frame("demo.chars").table(["id"])["id"].to_pylist()
    assert len(set(ids)) == 140  # the second source repeats the first one's rows


def test_a_loop_is_unrolled_with_a_name_a_round(tmp_path: Path) -> None:
    text = CHAIN.replace("  - demo.short\n", "  - loop: {rounds: 2, stages: [demo.short: {most: 60}]}\n")
    view = run_text(text, tmp_path / "run")
    assert [c.stage for c in view.funnel if c.kind == "demo.short"] == ["demo.short@1", "demo.short@2"]


def test_limit_and_shards_cut_the_source(tmp_path: Path) -> None:
    text = "stages:\n  - demo.read: {rows: 1000}\n  - demo.digest"
    limited = run_text(text, tmp_path / "limited", limit=10)
    assert limited.facts["demo.digest"]["rows"] == 10
    rows = []
    for part in range(3):
        view = run_text(text, tmp_path / f"part{part}", shard=(part, 3))
        rows += [p["row"] for p in view.frame("demo.read").table(["place"])["place"].to_pylist()]
    assert sorted(rows) == list(range(1000))


def test_every_reply_is_paid_for_once_and_survives_the_run(tmp_path: Path) -> None:
    till = tmp_path / "till"
    text = ASK.format(till=till)
    first = run_text(text, tmp_path / "runs" / "a")
    assert len(paid(till)) == len(set(paid(till))) == 120
    counts = [c for c in first.funnel if c.calls]
    assert sum(c.calls for c in counts) == 120 and sum(c.tokens for c in counts) == 1800
    again = run_text(text, tmp_path / "runs" / "b")
    assert len(paid(till)) == 120
    assert sum(c.calls_reused for c in again.funnel) == 120
    assert again.facts["demo.digest"]["digest"] == first.facts["demo.digest"]["digest"]


def test_a_budget_stops_cleanly_and_more_goes_on(tmp_path: Path) -> None:
    till = tmp_path / "till"
    text = ASK.format(till=till)
    with pytest.raises(BudgetReached, match="budget of 50 calls"):
        run_text(text, tmp_path / "run", budget=Budget(calls=50))
    assert len(paid(till)) == 50
    with pytest.raises(BudgetReached):
        run_text(text, tmp_path / "run", budget=Budget(usd=0.08))
    view = run_text(text, tmp_path / "run")
    assert len(paid(till)) == len(set(paid(till))) == 120
    usual = run_text(text, tmp_path / "usual")
    assert view.facts["demo.digest"]["digest"] == usual.facts["demo.digest"]["digest"]


def test_waits_and_faults_of_an_endpoint_lose_no_row(tmp_path: Path) -> None:
    till = tmp_path / "till"
    text = ASK.format(till=till).replace(f"till: {till}", f"till: {till}, busy: 0.4, broken: 0.1, delay: 0.001")
    view = run_text(text, tmp_path / "run")
    assert view.facts["demo.digest"]["rows"] == 60
    assert len(paid(till)) == 120


def test_an_opened_run_shows_what_the_finished_one_did(tmp_path: Path) -> None:
    view = run_text(CHAIN, tmp_path / "run")
    opened = open_run(tmp_path / "run")
    assert [c.rows_out for c in opened.funnel] == [c.rows_out for c in view.funnel]
    assert opened.frame("demo.top").table().to_pylist() == view.frame("demo.top").table().to_pylist()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["limit"] is None


def test_secrets_of_the_environment_are_written_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED_KEY", "planted-secret-0123456789")
    till = tmp_path / "till"
    text = ASK.format(till=till).replace(f"till: {till}", f"till: {till}, api_key: '${{PLANTED_KEY}}'")
    run_text(text, tmp_path / "runs" / "a")
    for path in (tmp_path / "runs").rglob("*"):
        assert not path.is_file() or b"planted-secret" not in path.read_bytes(), path
