"""`read.rankings`: rankings in lists and in rows, of texts and of images, and what does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rather.core.errors import InputError
from rather.formats.read_pairs import ReadPairs
from rather.formats.read_rankings import ReadRankings

from ..runs import run_text


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return str(path)


def read(**options: Any) -> list[dict[str, Any]]:
    return pa.concat_tables(ReadRankings(**options).batches()).to_pylist()


def test_hpdv2_s_two_layouts(tmp_path: Path) -> None:
    """Training rows hold two files and 1 for the preferred; test rows hold n files and their ranks."""
    train = write(
        tmp_path / "train.jsonl", [{"prompt": "a cat", "file_path": ["a.jpg", "b.jpg"], "human_preference": [0, 1]}]
    )
    test = write(
        tmp_path / "test.jsonl", [{"prompt": "a dog", "image_path": ["c.png", "d.png", "e.png"], "rank": [2, 1, 3]}]
    )
    (row,) = read(path=train)
    assert row["human_preference"] == [0.0, 1.0] and [c["image"]["path"] for c in row["candidates"]] == [
        "a.jpg",
        "b.jpg",
    ]
    (row,) = read(path=test)
    assert row["rank"] == [2.0, 1.0, 3.0] and row["prompt"][0]["content"] == "a dog" and len(row["candidates"]) == 3


def test_imagerewarddb_s_rows_are_gathered_by_prompt(tmp_path: Path) -> None:
    """One image a row, bytes and all; two prompts, the first with two images of equal rank."""
    rows = [("p1", "x", 1, 5.0), ("p1", "x", 1, 4.0), ("p2", "y", 2, 3.0), ("p2", "y", 1, 6.0)]
    table = pa.table(
        {
            "image": pa.array([{"bytes": b"i%d" % k, "path": None} for k in range(4)]),
            "prompt_id": [row[0] for row in rows],
            "prompt": [row[1] for row in rows],
            "rank": [row[2] for row in rows],
            "overall_rating": [row[3] for row in rows],
        }
    )
    pq.write_table(table, tmp_path / "db.parquet")
    first, second = read(path=str(tmp_path / "db.parquet"))
    assert first["source_id"] == "p1" and first["rank"] == [1.0, 1.0] and second["overall_rating"] == [3.0, 6.0]
    assert [c["image"]["bytes"] for c in second["candidates"]] == [b"i2", b"i3"]


def test_pairs_of_a_ranking_with_its_ties(tmp_path: Path) -> None:
    """Ranks 1, 1, 2: of three pairs one is a tie; the best end is the lower."""
    path = write(tmp_path / "r.jsonl", [{"prompt": "q", "answers": ["a", "b", "c"], "ranking": [1, 1, 2]}])
    recipe = f"""
name: ranked
stages:
  - read.rankings: {{path: {path}}}
  - pair.all_within_prompt: {{score: ranking, better: lower, ties: keep}}
"""
    view = run_text(recipe, tmp_path / "run")
    pairs = view.frame("pair.all_within_prompt").table(["chosen", "rejected", "verdict"]).to_pylist()
    found = sorted((p["chosen"]["text"], p["rejected"]["text"], p["verdict"]) for p in pairs)
    assert found == [("a", "b", "tie"), ("a", "c", "prefer"), ("b", "c", "prefer")]


def test_images_are_taken_from_their_folder_and_from_nowhere_else(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"A")
    (tmp_path / "secret.png").write_bytes(b"S")
    rows = [
        {"prompt": "q", "images": [name, "a.png"], "ranking": [1, 2]} for name in ("a.png", "b.png", "../secret.png")
    ]
    good, absent, outside = read(path=write(tmp_path / "r.jsonl", rows), images=str(folder))
    assert [c["image"]["bytes"] for c in good["candidates"]] == [b"A", b"A"] and good["read_error"] is None
    assert absent["read_error"] == "no image b.png in the folder"
    assert (
        outside["read_error"].startswith("../secret.png lies outside")
        and outside["candidates"][0]["image"]["bytes"] is None
    )


def test_numbers_that_do_not_fit_are_named(tmp_path: Path) -> None:
    rows = [
        {"prompt": "q", "answers": ["a", "b"], "ranking": [1]},
        {"prompt": "q", "answers": ["a", "b"], "ranking": [1, 2]},
    ]
    bad, good = read(path=write(tmp_path / "r.jsonl", rows))
    assert (
        bad["read_error"] == "1 values of ranking for 2 answers"
        and bad["ranking"] is None
        and good["read_error"] is None
    )


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"prompt": "q", "a": 1}, "no column holds answers"),
        ({"prompt": "q", "answers": ["a"]}, "no ranks or scores"),
        ({"answers": ["a"], "rank": [1]}, "no column holds the prompt"),
    ],
)
def test_what_is_missing_is_said_at_the_check(tmp_path: Path, row: dict[str, Any], told: str) -> None:
    (fault,) = ReadRankings(path=write(tmp_path / "r.jsonl", [row])).faults()
    assert told in fault
    with pytest.raises(InputError, match="no place for score"):
        read(path=write(tmp_path / "r.jsonl", [row]), columns={"score": "a"})


def test_real_rankings_of_images(data: Path) -> None:
    """ImageReward's test prompts: 4 to 9 images each, ranks from 1, ties among them; no bytes."""
    rows = read(path=str(data / "annotations" / "imagereward_rankings.jsonl"))
    assert len(rows) == 205 and all(row["read_error"] is None for row in rows)
    assert {len(row["candidates"]) for row in rows} <= set(range(4, 10))
    assert all(min(row["ranking"]) >= 1 for row in rows)
    assert any(len(set(row["ranking"])) < len(row["ranking"]) for row in rows)
    assert rows[0]["candidates"][0]["image"] == {"bytes": None, "path": rows[0]["candidates"][0]["image"]["path"]}


def test_real_scores_of_images_by_prompt(data: Path) -> None:
    """TIFA: five models a prompt, one a row; its scores come as lists beside the images."""
    path = str(data / "annotations" / "tifa_human_faithfulness.jsonl")
    rows = read(path=path, columns={"prompt": "text", "group": "text_id"}, numbers=("human_avg", "clipscore_vitb32"))
    assert sum(len(row["candidates"]) for row in rows) == 405 and max(len(row["candidates"]) for row in rows) == 5
    assert all(1 <= value <= 5 for row in rows for value in row["human_avg"])


def test_pick_a_pic_s_half_is_a_tie(tmp_path: Path) -> None:
    """label_0 = 1 prefers the first image, 0 the second, 0.5 neither; bytes stay as they are."""
    table = pa.table(
        {"caption": ["a", "b", "c"], "jpg_0": [b"0a", b"0b", b"0c"], "jpg_1": [b"1a", b"1b", b"1c"],
         "label_0": [1.0, 0.0, 0.5], "label_1": [0.0, 1.0, 0.5], "user_id": [7, 7, 8]}
    )  # fmt: skip
    pq.write_table(table, tmp_path / "pick.parquet")
    read_it = ReadPairs(path=str(tmp_path / "pick.parquet")).batches()
    rows = pa.concat_tables(read_it).to_pylist()
    assert [(row["chosen"]["image"]["bytes"], row["verdict"]) for row in rows] == [
        (b"0a", "prefer"), (b"1b", "prefer"), (b"0c", "tie")
    ]  # fmt: skip
    assert [row["prompt"][0]["content"] for row in rows] == ["a", "b", "c"] and rows[2]["user_id"] == 8
