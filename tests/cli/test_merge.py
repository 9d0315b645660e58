"""`rather merge`: shards become the run they are parts of; datasets become one without rows or prompts twice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rather.core.runs import open_run

from .. import stages  # noqa: F401  (registers the demo stages)
from .conftest import Door
from .test_export import read, rows, write

RECIPE = """
name: small
stages:
  - read.pairs: {path: pairs.jsonl}
  - score.length: {of: [chosen, rejected]}
  - write.parquet: {test: 0.25, rows_per_file: 40}
"""


def shards(door: Door, count: int, recipe: str = RECIPE) -> list[str]:
    Path("small.yaml").write_text(recipe, encoding="utf-8")
    names = [f"part{k}" for k in range(1, count + 1)]
    for k, name in enumerate(names, 1):
        assert door("run", "small.yaml", "--out", name, "--shard", f"{k}/{count}")[0] == 0
    return names


def files(folder: str | Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((Path(folder) / "data").glob("*.parquet"))}


def dataset(folder: str, **splits: Sequence[dict[str, Any]]) -> str:
    (Path(folder) / "data").mkdir(parents=True)
    for split, found in splits.items():
        pq.write_table(pa.Table.from_pylist(list(found)), Path(folder) / "data" / f"{split}-00000-of-00001.parquet")
    return folder


@pytest.mark.parametrize("count", [2, 5])
def test_merged_shards_are_the_whole_run_byte_by_byte(door: Door, count: int) -> None:
    """Source order, splits, scores and files; equal rows in several shards get the ids they have in the whole."""
    found = rows(200)
    for k in range(0, 200, 3):
        found[k] = found[0]
    write(found)
    parts = shards(door, count)
    assert door("run", "small.yaml", "--out", "whole")[0] == 0
    code, out, _ = door("merge", *reversed(parts), "-o", "merged", "--json")
    facts = json.loads(out)
    assert code == 0 and files("merged") == files("whole/data")
    assert len(files("merged")) > 3 and facts["renumbered"] >= 1
    assert sum(facts["rows"].values()) == 200 and set(facts["rows"]) == {"train", "test"}
    ids = [row["id"] for split in facts["rows"] for row in read("merged", split)]
    assert len(set(ids)) == 200
    assert "| read.pairs | 200 |" in Path("merged/README.md").read_text(encoding="utf-8")


def test_rows_that_gates_dropped_stay_away_and_children_follow_their_parent(door: Door) -> None:
    recipe = """
name: small
stages:
  - demo.read: {rows: 300}
  - demo.chars
  - demo.short
  - demo.copies
  - write.parquet: {dialect: rather}
"""
    parts = shards(door, 3, recipe)
    assert door("merge", *parts[::-1], "-o", "merged")[0] == 0
    frames = [open_run(part).frame("demo.copies").table() for part in parts]
    told = [row for frame in frames for row in frame.to_pylist()]
    told.sort(key=lambda row: row["place"]["row"])  # children of a row stay in their order
    kept = ("prompt", "chosen", "rejected", "margin", "copy")
    found = read("merged")
    assert [[row[name] for name in kept] for row in found] == [[row[name] for name in kept] for row in told]
    assert len({row["id"] for row in found}) == len(found) > 100


def test_what_each_shard_decided_by_itself_is_told(door: Door) -> None:
    write(rows(60))
    recipe = RECIPE.replace("  - write", "  - select.top: {by: margin, keep: 5}\n  - write")
    code, out, _ = door("merge", *shards(door, 2, recipe), "-o", "merged")
    assert code == 0 and "decided in every shard by itself, not over all rows: select.top" in out
    assert len(read("merged")) + len(read("merged", "test")) == 10


def test_a_missing_shard_is_named(door: Door) -> None:
    write(rows(40))
    one, two, three, four = shards(door, 4)
    code, out, err = door("merge", one, three, four, "-o", "merged")
    assert (code, out) == (2, "") and "shard 2/4 is missing; run it with --shard 2/4, or merge" in err
    code, _, err = door("merge", three, "-o", "merged")
    assert code == 2 and "shards 1/4, 2/4, 4/4 are missing" in err and not Path("merged").exists()
    assert door("merge", one, three, four, "-o", "merged", "--partial")[0] == 0
    assert len(read("merged")) + len(read("merged", "test")) == 30
    shutil.copytree(two, "copy")
    code, _, err = door("merge", one, two, "copy", "-o", "again")
    assert code == 2 and "copy: this is shard 2/4, as part2 is; give each shard once" in err


def test_a_source_that_is_gone_leaves_nothing_behind(door: Door) -> None:
    pq.write_table(pa.Table.from_pylist(rows(40)), "pairs.parquet")  # read again from where it lies, not stored
    parts = shards(door, 2, RECIPE.replace("pairs.jsonl", "pairs.parquet"))
    Path("pairs.parquet").rename("moved.parquet")
    code, out, err = door("merge", *parts, "-o", "merged")
    assert (code, out) == (2, "") and "no readable file at" in err and not Path("merged").exists()
    Path("moved.parquet").rename("pairs.parquet")
    assert door("merge", *parts, "-o", "merged")[0] == 0


def test_shards_of_different_runs_are_refused(door: Door) -> None:
    write(rows(40))
    one, two = shards(door, 2)
    Path("other.yaml").write_text(RECIPE.replace("0.25", "0.5"), encoding="utf-8")
    assert door("run", "other.yaml", "--out", "other", "--shard", "2/2")[0] == 0
    code, _, err = door("merge", one, "other", "-o", "merged")
    assert code == 2 and "other: its recipe is not that of part1: `test: 0.5` is not there" in err
    assert door("run", "small.yaml", "--out", "third", "--shard", "3/3")[0] == 0
    code, _, err = door("merge", one, "third", "-o", "merged")
    assert code == 2 and "third: this is a shard of 3, and part1 one of 2" in err
    code, _, err = door("merge", one, str(Path(two) / "data"), "-o", "merged")
    assert code == 2 and "part2/data: this is no shard of a run, as others here are" in err
    Path("bare.yaml").write_text(RECIPE.split("  - write")[0], encoding="utf-8")
    assert door("run", "bare.yaml", "--out", "bare", "--shard", "1/1")[0] == 0
    code, _, err = door("merge", "bare", "-o", "merged")
    assert code == 2 and "bare: this run wrote no dataset; add write.parquet" in err and not Path("merged").exists()


def test_datasets_become_one_without_a_row_twice(door: Door) -> None:
    write(rows(10), "first.jsonl")
    write(rows(14)[6:], "second.jsonl")
    for name in ("first", "second"):
        assert door("export", f"{name}.jsonl", "--to", "trl_kto", "-o", name)[0] == 0
    code, out, _ = door("merge", "first", "second", "-o", "merged")
    assert code == 0 and "rows: train 28" in out and "left out: 8 row of an earlier part" in out
    found = read("merged")
    assert [row["prompt"] for row in found] == [f"q {k}" for k in range(14) for _ in range(2)]
    assert found == read("first") + read("second")[8:]
    schema, mine = (pq.read_schema(next(Path(f"{name}/data").iterdir())) for name in ("first", "merged"))
    assert mine.equals(schema, check_metadata=True)
    card = Path("merged/README.md").read_text(encoding="utf-8")
    assert "| second | 16 | row of an earlier part: 8 | 8 |" in card and "28 rows of 2 datasets" in card


def test_no_prompt_stands_in_train_and_test(door: Door) -> None:
    plain = [{"prompt": f"q {k}", "chosen": f"a {k}", "rejected": "b"} for k in range(20)]
    dataset("first", train=plain[:8], test=plain[8:10])
    dataset("second", train=[row | {"chosen": "other"} for row in plain[4:14]], test=plain[14:16])
    code, out, _ = door("merge", "first", "second", "-o", "merged", "--json")
    facts = json.loads(out)
    assert code == 0 and facts["rows"] == {"train": 8 + 10 - 2, "test": 4}
    assert facts["left_out"]["prompt in the test split"] == 2
    train, test = ({row["prompt"] for row in read("merged", split)} for split in ("train", "test"))
    assert not train & test and test == {"q 8", "q 9", "q 14", "q 15"}


def test_splits_of_whole_conversations_are_compared_by_their_prompts(door: Door) -> None:
    write(rows(12))
    assert door("export", "pairs.jsonl", "--to", "trl_implicit", "-o", "first")[0] == 0
    write(({**row, "chosen": "something else"} for row in rows(40)), "other.jsonl")
    assert door("export", "other.jsonl", "--to", "trl_implicit", "--test", "0.5", "-o", "second")[0] == 0
    held = {row["chosen"][0]["content"] for row in read("second", "test")} & {f"q {k}" for k in range(12)}
    code, out, _ = door("merge", "first", "second", "-o", "merged", "--json")
    assert code == 0 and held
    assert json.loads(out)["left_out"]["prompt in the test split"] == len(held)


def test_splits_that_cannot_be_compared_are_told_of(door: Door) -> None:
    dataset("first", train=[{"text": "a"}], test=[{"text": "b"}])
    dataset("second", train=[{"text": "b"}, {"text": "c"}])
    code, out, _ = door("merge", "first", "second", "-o", "merged")
    assert code == 0 and "no prompt can be told from these columns: the splits were not compared" in out
    assert [row["text"] for row in read("merged")] == ["a", "c"]  # without ids, equal rows are one row


def test_a_mistake_is_one_message(door: Door) -> None:
    plain = [{"prompt": "q", "chosen": "a", "rejected": "b"}]
    dataset("first", train=plain)
    dataset("second", train=[{**plain[0], "margin": 1.0}])
    dataset("third", train=[{"prompt": "q", "chosen": "a", "rejected": 1}])
    gap = Path(dataset("gap", train=plain)) / "data"
    (gap / "train-00000-of-00001.parquet").rename(gap / "train-00000-of-00002.parquet")
    Path("note.txt").touch()
    (Path(dataset("torn", train=plain)) / "data" / "train-00000-of-00001.parquet").write_bytes(b"PAR1 and no more")
    Path("lines").mkdir()
    write(plain, "lines/pairs.jsonl")
    told = {
        ("first", "nowhere"): "nowhere: no such folder",
        ("gap", "gap"): "gap: this folder is given twice",
        ("gap", "second"): "train-00001-of-00002.parquet is missing; bring it, or merge with --partial",
        ("second", "third"): "column rejected is int64, and string in second; bring them to one layout",
        (
            "second",
            "lines",
        ): "pairs.jsonl: only folders of Parquet files can be merged; make it one with",
        ("second", "third", "-o", "note.txt"): "note.txt: this is a file; give a folder with -o",
        ("torn", "second"): "torn/data/train-00000-of-00001.parquet: cannot be read",
        ("second", "third", "-o", "second"): "second: the dataset would be written over what it is made from (second)",
    }
    for words, message in told.items():
        code, out, err = door("merge", *words, *([] if "-o" in words else ["-o", "merged"]))
        assert (code, out) == (2, "") and message in err and err.count("\n") == 1, err
        assert not Path("merged").exists()
    assert door("merge", "gap", "first", "-o", "merged", "--partial")[0] == 0
