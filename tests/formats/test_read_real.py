"""Real preference data, read whole: no row, text or label is lost."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from rather.core.row import answer_text
from rather.formats.read_pairs import ReadPairs
from rather.formats.read_rows import ReadRows

PAIRS = (
    "dpo_demo_en.jsonl", "gsm8k_solutions.jsonl.gz", "halueval_qa.jsonl", "hh_harmless_test.jsonl.gz",
    "hhh_alignment.jsonl", "llmbar.jsonl", "llmbar_casestudy.jsonl", "mt_bench_human_majority.jsonl",
    "truthfulqa.jsonl",
)  # fmt: skip
SIDES = ("chosen", "rejected")


def source_rows(path: Path) -> list[dict[str, Any]]:
    raw = path.read_bytes()
    return [json.loads(line) for line in (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines()]


def declared(data: Path, name: str) -> int:
    """The number of rows that the data's own README states."""
    found = re.search(rf"`{re.escape(name)}` \| (\d+) ", (data / "README.md").read_text(encoding="utf-8"))
    assert found is not None
    return int(found[1])


def pairs(path: Path, **options: Any) -> pa.Table:
    source = ReadPairs(path=str(path), **options)
    assert source.faults() == []
    return pa.concat_tables(source.batches())


@pytest.mark.data
@pytest.mark.parametrize("name", [*(f"preferences/{name}" for name in PAIRS), "noise/flipped20_pairs.jsonl.gz"])
def test_nothing_is_lost(data: Path, name: str) -> None:
    rows, table = source_rows(data / name), pairs(data / name)
    assert table.num_rows == len(rows) == declared(data, name)
    assert table["source_id"].to_pylist() == [row["id"] for row in rows]
    for side in ("chosen", "rejected"):
        assert answer_text(table[side]).to_pylist() == [row[side] for row in rows]
    for column in set(rows[0]) & {"source", "subset", "label_source"}:
        assert table[column].to_pylist() == [row[column] for row in rows]
    assert set(table["verdict"].to_pylist()) == {"prefer"}


@pytest.mark.data
def test_transcripts_become_the_messages_their_file_states(data: Path) -> None:
    path = data / "preferences/hh_harmless_test.jsonl.gz"
    rows, table = source_rows(path), pairs(path)
    for row, prompt in zip(rows, table["prompt"].to_pylist(), strict=True):
        found = [{"role": m["role"], "content": m["content"].strip()} for m in prompt]
        assert found == [m | {"content": m["content"].strip()} for m in row["extra"]["prompt_messages"]]


@pytest.mark.data
def test_whole_dialogues_part_where_the_crowd_saw_them_part(data: Path, tmp_path: Path) -> None:
    """The harmless set as published: two whole transcripts a row; the pairs that part early keep their turns."""
    rows = source_rows(data / "preferences/hh_harmless_test.jsonl.gz")

    def whole(row: dict[str, Any], side: str) -> str:
        turns = row["extra"][f"{side}_continuation"] or [{"role": "assistant", "content": row[side]}]
        cue = {"user": "Human", "assistant": "Assistant"}
        return "\n\n" + row["prompt"] + "".join(f"\n\n{cue[turn['role']]}: {turn['content']}" for turn in turns)

    path = tmp_path / "hh.jsonl"
    dialogues = [{side: whole(row, side) for side in SIDES} for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in dialogues))
    table = pairs(path)
    early = 0
    for row, chosen, rejected in zip(rows, table["chosen"].to_pylist(), table["rejected"].to_pylist(), strict=True):
        for side, found in (("chosen", chosen), ("rejected", rejected)):
            turns = row["extra"][f"{side}_continuation"]
            early += bool(turns)
            assert found["text"] == ("\n\n".join(turn["content"] for turn in turns) if turns else row[side])
            assert bool(found["turns"]) == bool(turns)
    assert early == sum(bool(row["extra"][f"{side}_continuation"]) for row in rows for side in SIDES) > 0


@pytest.mark.data
def test_a_prompt_from_inside_an_object(data: Path) -> None:
    path = data / "preferences/dpo_demo_en.jsonl"
    table = pairs(path, columns={"prompt": "extra.prompt_messages"})
    for row, prompt in zip(source_rows(path), table["prompt"].to_pylist(), strict=True):
        assert [{"role": m["role"], "content": m["content"]} for m in prompt] == row["extra"]["prompt_messages"]


@pytest.mark.data
def test_human_votes_with_ties(data: Path) -> None:
    """PandaLM: 1, 2 or 0 = tie, over responses 1 and 2; its own chosen and rejected, null on ties, are kept aside."""
    path = data / "annotations/pandalm_human3.jsonl"
    columns = {"first": "response_1", "second": "response_2", "label": "majority"}
    table = pairs(path, layout="labelled", columns=columns)
    rows = source_rows(path)
    assert table["verdict"].to_pylist() == ["tie" if row["majority"] == 0 else "prefer" for row in rows]
    better = [row["response_2"] if row["majority"] == 2 else row["response_1"] for row in rows]
    assert answer_text(table["chosen"]).to_pylist() == better
    assert table["source_chosen"].to_pylist() == [row["chosen"] for row in rows]


@pytest.mark.data
def test_every_data_file_is_rows(data: Path) -> None:
    for path in sorted(data.rglob("*.jsonl*")):
        count = sum(table.num_rows for table in ReadRows(path=str(path)).batches())
        assert count == len(source_rows(path)), path
