"""The engine at its edges: no rows at all, skipped stages between others, very long recipes."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rather.core.errors import RecipeError

from ..runs import run_text

EMPTIED = """
stages:
  - demo.read: {rows: 40}
  - demo.chars
  - demo.short: {most: 0}
  - embed.text: {model: fake_text, of: [chosen]}
  - demo.copies
  - demo.rank
  - demo.top
  - demo.copies: {}
    as: again
  - demo.chars: {}
    as: recount
  - demo.rank: {}
    as: rerank
  - write.parquet: {path: data, columns: [copy], test: 0.5}
  - demo.digest
"""
MIXED = """
stages:
  - demo.read: {rows: 40}
    as: first
  - demo.read: {rows: 30}
    as: second
  - demo.short: {}
    inputs: [first, second]
    if: false
  - demo.chars
  - demo.digest
"""


@pytest.mark.parametrize("batch", [7, 1000])
def test_stages_below_an_emptied_set_find_their_columns(tmp_path: Path, batch: int) -> None:
    view = run_text(EMPTIED, tmp_path / "run", batch=batch)
    assert [count.rows_out for count in view.funnel] == [40, 40, *[0] * 10]
    frame = view.frame("rerank")
    assert {"chosen_vector", "copy", "chars", "rank", "parent_id"} <= set(frame.names)
    assert frame.schema.field("chosen_vector").type.list_size == 64
    (file,) = (tmp_path / "run/data/data").glob("train-*.parquet")
    assert pq.read_table(file).num_rows == 0 and {"chosen", "copy"} <= set(pq.read_schema(file).names)


def test_the_first_batches_may_be_emptied_and_later_ones_not(tmp_path: Path) -> None:
    text = EMPTIED.replace("most: 0", "most: 12")
    told = [run_text(text, tmp_path / f"by{batch}", batch=batch).facts["demo.digest"] for batch in (1, 1000)]
    assert told[0]["digest"] == told[1]["digest"] and told[0]["rows"] > 0


def test_a_skipped_mix_still_mixes_and_notices_a_change_of_either_input(tmp_path: Path) -> None:
    first = run_text(MIXED, tmp_path / "run")
    assert first.facts["demo.digest"]["rows"] == 70
    second = run_text(MIXED, tmp_path / "run", "second.rows=31")
    assert second.facts["demo.digest"]["rows"] == 71


def test_a_skipped_source_adds_nothing_to_a_mix(tmp_path: Path) -> None:
    text = MIXED.replace("    as: second\n", "    as: second\n    if: false\n").replace(
        "\n    if: false\n  - demo.ch", "\n  - demo.ch"
    )
    text = text.replace(
        "  - demo.short: {}\n    inputs: [first, second]\n  - demo.chars",
        "  - demo.chars: {}\n    inputs: [first, second]",
    )
    view = run_text(text, tmp_path / "run")
    assert view.facts["demo.digest"]["rows"] == 40


def test_nothing_can_follow_when_every_source_is_skipped(tmp_path: Path) -> None:
    text = "stages:\n  - demo.read: {}\n    if: false\n  - demo.chars: {}\n    if: false\n  - demo.digest"
    with pytest.raises(RecipeError, match="demo.digest has no rows to work on: demo.chars is skipped here"):
        run_text(text, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_recipe_of_hundreds_of_stages_runs_and_is_reused(tmp_path: Path) -> None:
    loop = "{rounds: 60, stages: [demo.chars, demo.rank, demo.short: {}]}"
    text = f"stages:\n  - demo.read: {{rows: 9}}\n  - loop: {loop}\n  - demo.digest"
    first = run_text(text, tmp_path / "run")
    again = run_text(text, tmp_path / "run")
    assert all(count.reused for count in again.funnel) and len(again.funnel) == 182
    assert again.frame("demo.short@60").table().to_pylist() == first.frame("demo.short@60").table().to_pylist()
