"""`read.rankings`: rankings in lists and in rows, of texts and of images, and what does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rather.core.errors import InputError
from rather.formats.read_rankings import ReadRankings

from ..runs import run_text


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return str(path)


def read(**options: Any) -> list[dict[str, Any]]:
    return pa.concat_tables(ReadRankings(**options).batches()).to_pylist()


def test_hpdv2_s_two_files(tmp_path: Path) -> None:
    """train.json: two files and 1 for the preferred. test.json: n files, their ranks, and each person's ranking.

    Images lie beside them, in a folder of the file's name or in its own.
    """
    for name in ("train/a.jpg", "train/b.jpg", "c.png", "d.png", "e.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    train = [{"human_preference": [0, 1], "prompt": "a cat", "file_path": ["a.jpg", "b.jpg"], "user_hash": "u1"}]
    (tmp_path / "train.json").write_text(json.dumps(train))
    said = [{"rank": [2, 1, 3], "user_hash": "u1"}, {"rank": [1, 2, 3], "user_hash": "u2"}]
    names = ["c.png", "d.png", "e.png"]
    test = [{"prompt": "a dog", "image_path": names, "rank": [2, 1, 3], "raw_annotations": said}]
    (tmp_path / "test.json").write_text(json.dumps(test))
    (row,) = read(path=str(tmp_path / "train.json"))
    assert row["human_preference"] == [0.0, 1.0] and row["user_hash"] == "u1"
    assert [c["image"]["bytes"] for c in row["candidates"]] == [b"train/a.jpg", b"train/b.jpg"]
    (row,) = read(path=str(tmp_path / "test.json"))
    assert row["rank"] == [2.0, 1.0, 3.0] and row["prompt"][0]["content"] == "a dog" and row["raw_annotations"] == said
    assert [c["image"] for c in row["candidates"]] == [{"bytes": n.encode(), "path": n} for n in names]
    assert row["read_error"] is None


def test_images_that_come_later_are_seen(tmp_path: Path) -> None:
    """Names alone while no image lies there; once they do the source is another."""
    rows = [{"prompt": "q", "images": ["a.png", "b.png"], "ranking": [1, 2]}]
    path = write(tmp_path / "r.jsonl", rows)
    before = ReadRankings(path=path).fingerprint()
    assert [c["image"]["bytes"] for c in read(path=path)[0]["candidates"]] == [None, None]
    (tmp_path / "a.png").write_bytes(b"A")
    assert ReadRankings(path=path).fingerprint() != before
    (row,) = read(path=path)
    assert row["candidates"][0]["image"]["bytes"] == b"A" and row["read_error"] == "no image b.png in the folder"


def imagereward(images: Any, *columns: tuple[str, Any, pa.DataType]) -> pa.Table:
    return pa.table({"image": images} | {name: pa.array(values, kind) for name, values, kind in columns})


def test_imagerewarddb_s_rows_are_gathered_by_prompt(tmp_path: Path) -> None:
    """The published columns and types, one image a row: two prompts, the first with two images of equal rank."""
    images = pa.array([{"bytes": b"i%d" % k, "path": f"{k}.webp"} for k in range(4)])
    table = imagereward(
        images, ("prompt_id", ["p1", "p1", "p2", "p2"], pa.string()), ("prompt", ["x", "x", "y", "y"], pa.string()),
        ("classification", ["People", "People", "Arts", "Arts"], pa.string()),
        ("image_amount_in_total", [2] * 4, pa.int8()), ("rank", [1, 1, 2, 1], pa.int8()),
        ("overall_rating", [5, 4, 3, 6], pa.int8()), ("image_text_alignment_rating", [5, 5, 5, 6], pa.int8()),
        ("fidelity_rating", [7, 6, 5, 4], pa.int8()),
    )  # fmt: skip
    pq.write_table(table, tmp_path / "db.parquet")
    first, second = read(path=str(tmp_path / "db.parquet"))
    assert first["source_id"] == "p1" and first["rank"] == [1.0, 1.0] and second["overall_rating"] == [3.0, 6.0]
    assert [c["image"]["bytes"] for c in second["candidates"]] == [b"i2", b"i3"]
    assert first["image_text_alignment_rating"] == [5.0, 5.0] and second["fidelity_rating"] == [5.0, 4.0]
    assert first["classification"] == ["People", "People"] and second["image_amount_in_total"] == [2, 2]


def test_imagerewarddb_s_groups(tmp_path: Path) -> None:
    """The configurations named `_group`: the images of a prompt and their numbers in lists of one row."""
    images = pa.array([[{"bytes": b"a", "path": None}, {"bytes": b"b", "path": None}]])
    numbers = [(name, [[2, 1]], pa.list_(pa.int8())) for name in ("rank", "overall_rating", "fidelity_rating")]
    told = [("prompt_id", ["p1"], pa.string()), ("prompt", ["x"], pa.string()), ("classification", ["A"], pa.string())]
    pq.write_table(imagereward(images, *told, *numbers), tmp_path / "group.parquet")
    (row,) = read(path=str(tmp_path / "group.parquet"))
    assert [c["image"]["bytes"] for c in row["candidates"]] == [b"a", b"b"] and row["rank"] == [2.0, 1.0]
    assert row["source_id"] == "p1" and row["classification"] == "A" and row["fidelity_rating"] == [2.0, 1.0]


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
    """TIFA: five models a prompt, one a row; its scores come as lists beside the images, its models with them."""
    rows = read(path=str(data / "annotations" / "tifa_human_faithfulness.jsonl"))
    assert sum(len(row["candidates"]) for row in rows) == 405 and max(len(row["candidates"]) for row in rows) == 5
    assert all(1 <= value <= 5 for row in rows for value in row["human_avg"])
    first = rows[0]
    assert first["candidates"][0]["model"] == "mini_dalle" and first["source_id"] == "coco_669925"
    assert first["source_ids"][0] == "tifa-coco_669925_mini_dalle" and first["human_scores"][0] == [5, 5]
    assert first["clipscore_vitb32"][0] == 33.55949401855469 and first["tifa_blip2-flant5xl"][:2] == [1.0, 0.75]
    assert len(first["tifa_blip2-flant5xl"]) == len(first["candidates"])
