"""Published sets of image pairs and tables as their columns stand: Pick-a-Pic, ImageRewardDB's pairs, GenEval."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rather.core.errors import InputError
from rather.formats.read_pairs import ReadPairs
from rather.formats.read_rows import ReadRows


def test_pick_a_pic_s_columns(tmp_path: Path) -> None:
    """label_0 = 1 prefers the first image, 0 the second, 0.5 neither; rows without a label have none.

    Bytes stay as they are, each image says which model painted it, and the other columns come along.
    """
    n = 4
    table = pa.table(
        {"are_different": [True] * n, "best_image_uid": ["u0", "v1", "", ""], "caption": list("abcd"),
         "created_at": pa.array([0] * n, pa.timestamp("ns")), "has_label": [True, True, True, False],
         "image_0_uid": [f"u{k}" for k in range(n)], "image_0_url": [""] * n,
         "image_1_uid": [f"v{k}" for k in range(n)], "image_1_url": [""] * n,
         "jpg_0": [b"0%d" % k for k in range(n)], "jpg_1": [b"1%d" % k for k in range(n)],
         "label_0": [1.0, 0.0, 0.5, 0.0], "label_1": [0.0, 1.0, 0.5, 0.0],
         "model_0": ["sdxl"] * n, "model_1": ["dreamlike"] * n, "ranking_id": [1, 2, 3, 4], "user_id": [7, 7, 8, 9],
         "num_example_per_prompt": [1] * n, "__index_level_0__": list(range(n))}
    )  # fmt: skip
    pq.write_table(table, tmp_path / "pick.parquet")
    rows = pa.concat_tables(ReadPairs(path=str(tmp_path / "pick.parquet"), bad_lines="drop").batches()).to_pylist()
    assert [(row["chosen"]["image"]["bytes"], row["verdict"]) for row in rows[:3]] == [
        (b"00", "prefer"), (b"11", "prefer"), (b"02", "tie")
    ]  # fmt: skip
    assert rows[3]["chosen"] is None and rows[3]["verdict"] is None and rows[3]["read_error"] == "no usable label"
    assert [row["chosen"]["model"] for row in rows[:2]] == ["sdxl", "dreamlike"]
    assert [row["prompt"][0]["content"] for row in rows] == list("abcd") and rows[2]["user_id"] == 8
    assert rows[1]["image_1_uid"] == "v1" and rows[0]["num_example_per_prompt"] == 1
    with pytest.raises(InputError, match=r"column has_label: False tells no preference; .* bad_lines: drop"):
        list(ReadPairs(path=str(tmp_path / "pick.parquet")).batches())


def test_imagerewarddb_s_pairs(tmp_path: Path) -> None:
    """The configurations named `_pair` hold no ties: the better and the worse image of a prompt."""
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table(
        {"prompt_id": ["p1"], "prompt": ["x"], "classification": ["People"],
         "img_better": pa.array([{"bytes": b"good", "path": "g.webp"}], image),
         "img_worse": pa.array([{"bytes": b"bad", "path": "b.webp"}], image)}
    )  # fmt: skip
    pq.write_table(table, tmp_path / "pair.parquet")
    (row,) = pa.concat_tables(ReadPairs(path=str(tmp_path / "pair.parquet")).batches()).to_pylist()
    assert row["chosen"]["image"]["bytes"] == b"good" and row["rejected"]["image"]["bytes"] == b"bad"
    assert row["verdict"] == "prefer" and row["source_id"] == "p1" and row["classification"] == "People"


def test_real_tables_of_geneval(data: Path) -> None:
    """Its annotated images and its prompts are rows of any make: nested columns keep their types."""
    rows = ReadRows(path=str(data / "annotations" / "geneval_human5.jsonl.gz"), columns={"prompt": "caption"})
    table = pa.concat_tables(rows.batches())
    told = table.to_pylist()[0]
    assert table.num_rows == 636 and told["prompt"][0]["content"] == "a photo of four donuts"
    assert [one["quality"] for one in told["annotators"]] == [3] * 5 and told["annotators"][0]["counts"] == ["5"]
    prompts = ReadRows(path=str(data / "prompts" / "geneval_t2i_prompts.jsonl"))
    asked = pa.concat_tables(prompts.batches()).to_pylist()
    wanted = [json.loads(row["include"]) for row in asked]  # numbers and texts in one list: kept as JSON
    assert len(asked) == 282 and all(row["prompt"] for row in asked) and all(one[0]["class"] for one in wanted)


def test_rankings_are_sent_to_their_reader(tmp_path: Path) -> None:
    rows = [{"prompt": "a cat", "file_path": ["a.jpg", "b.jpg"], "human_preference": [1, 0]}]
    (tmp_path / "train.json").write_text(json.dumps(rows))
    (fault,) = ReadPairs(path=str(tmp_path / "train.json")).faults()
    assert "with ranks or scores are read by read.rankings" in fault
