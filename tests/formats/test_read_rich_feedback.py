"""`read.rich_feedback`: RichHF-18K's eight features, pictures and captions of Pick-a-Pic, and what is missing."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from rather.core.errors import InputError
from rather.core.row import ANSWER, IMAGE
from rather.formats.read_rich_feedback import ReadRichFeedback

from ..photos import photo
from ..tf_files import write_examples

UIDS = ("0a1b2c3d-0001", "0a1b2c3d-0002", "0a1b2c3d-0003")
SCORES = ("aesthetics_score", "artifact_score", "misalignment_score", "overall_score")


def heat_map(value: int) -> bytes:
    """A map as the record has it: one channel, 512 × 512, 0 … 255, encoded."""
    levels = np.zeros((512, 512), np.uint8)
    levels[100:140, 200:260] = value
    out = io.BytesIO()
    Image.fromarray(levels).save(out, "PNG")
    return out.getvalue()


def richhf(path: Path) -> str:
    """A file of the published layout: three pictures of Pick-a-Pic's train split."""
    rows: list[dict[str, list[Any]]] = [
        {
            "filename": [f"train/{uid}.png"], **{name: [0.25 * (k + 1)] for k, name in enumerate(SCORES)},
            "artifact_map": [heat_map(250)], "misalignment_map": [heat_map(90)],
            "prompt_misalignment_label": ["1 0 1"],
        }
        for uid in UIDS
    ]  # fmt: skip
    return write_examples(path, rows)


def pictures(folder: Path, *uids: str) -> str:
    """Pick-a-Pic's pictures in a folder: JPEG, though the record calls them PNG."""
    (folder / "deep").mkdir(parents=True)
    for k, uid in enumerate(uids):
        (folder / ("deep" if k % 2 else "") / f"{uid}.jpg").write_bytes(photo(k))
    return str(folder)


def pick_a_pic(path: Path) -> str:
    """Its table, without the pictures' bytes: the first and second are of one prompt, the third is not there."""
    columns = {"caption": ["a red hat"], "image_0_uid": [UIDS[1]], "image_1_uid": [UIDS[0]], "label_0": [0.5]}
    pq.write_table(pa.table(columns), path)
    return str(path)


def read(**options: Any) -> pa.Table:
    source = ReadRichFeedback(**options)
    assert source.faults() == []
    table = pa.concat_tables(source.batches())
    assert table.column_names == list(source.schema_names())
    return table


def test_a_record_and_its_picture_and_caption(tmp_path: Path) -> None:
    """Each of the eight features in its column; a picture or caption that is not there is told, never made up."""
    path, folder = richhf(tmp_path / "train.tfrecord"), pictures(tmp_path / "pictures", *UIDS[:2])
    table = read(path=path, images=folder, prompts=pick_a_pic(tmp_path / "pickapic.parquet"))
    kinds = {field.name: field.type for field in table.schema}
    assert kinds["chosen"] == ANSWER and kinds["artifact_map"] == kinds["misalignment_map"] == IMAGE
    assert {kinds[name] for name in SCORES} == {pa.float64()}
    first, second, third = table.to_pylist()
    assert [first[name] for name in SCORES] == [0.25, 0.5, 0.75, 1.0]
    assert first["prompt"][0]["content"] == second["prompt"][0]["content"] == "a red hat"
    assert first["chosen"]["image"] == {"bytes": photo(0), "path": f"{UIDS[0]}.jpg"}
    assert second["chosen"]["image"]["path"] == f"deep/{UIDS[1]}.jpg" and second["read_error"] is None
    assert first["source_id"] == f"train/{UIDS[0]}.png" and first["prompt_misalignment_label"] == "1 0 1"
    assert first["artifact_map"]["bytes"] == heat_map(250) and first["misalignment_map"]["bytes"] == heat_map(90)
    assert third["read_error"] == f"no picture train/{UIDS[2]}.png in the folder"
    assert third["chosen"] is None and third["prompt"] is None and third["overall_score"] == 1.0


def test_captions_beside_the_pictures(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "pictures", *UIDS)
    (Path(folder) / f"{UIDS[0]}.txt").write_text("a red hat\n", encoding="utf-8")
    first, second, _ = read(path=richhf(tmp_path / "train.tfrecord"), images=folder).to_pylist()
    assert first["prompt"][0]["content"] == "a red hat" and first["read_error"] is None
    assert second["prompt"] is None and second["read_error"] == "no prompt" and second["chosen"]


def test_rows_that_hold_pictures_and_prompts_themselves(tmp_path: Path) -> None:
    """The same columns in Parquet, as copies of the set on the Hub have them; maps as numbers stay numbers."""
    rows = pa.table(
        {
            "image": pa.array([{"bytes": photo(1), "path": None}, None], IMAGE), "caption": ["a red hat", "a cat"],
            "overall_score": pa.array([0.5, None], pa.float32()), "artifact_map": [[[0, 9]], None],
            "prompt_misalignment_label": [[1, 0, 1], None], "filename": ["train/x.png", None],
        }
    )  # fmt: skip
    pq.write_table(rows, tmp_path / "x.parquet")
    table = read(path=str(tmp_path / "x.parquet"))
    first, second = table.to_pylist()
    assert first["chosen"]["image"]["bytes"] == photo(1) and first["artifact_map"] == [[0, 9]]
    assert first["prompt_misalignment_label"] == [1, 0, 1] and "misalignment_map" not in table.column_names
    assert second["overall_score"] is None and second["read_error"] == "no picture" and second["source_id"] is None
    table = read(path=str(tmp_path / "x.parquet"), columns={"prompt": "filename"})
    assert table["prompt"][0].as_py()[0]["content"] == "train/x.png"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "the rows hold no pictures; give images"),
        ({"images": "none"}, "no folder none"),
        ({"images": "pictures"}, "neither the rows nor the folder of pictures hold prompts; give prompts"),
        ({"images": "pictures", "prompts": "bare.parquet"}, "no table of captions by the names of pictures"),
        ({"columns": {"prompt": "filenam"}}, "no column filenam; did you mean filename"),
        ({"columns": {"mask": "artifact_map"}}, "no place for mask"),
    ],
)
def test_what_is_missing_is_said_at_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    pictures(tmp_path / "pictures", UIDS[0])
    pq.write_table(pa.table({"caption": ["a"]}), tmp_path / "bare.parquet")
    (fault,) = ReadRichFeedback(path=richhf(tmp_path / "train.tfrecord"), **options).faults()
    assert told in fault


def test_two_pictures_of_one_name_are_no_guess(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "pictures", *UIDS)
    (Path(folder) / f"{UIDS[1]}.png").write_bytes(photo(5, "PNG"))
    source = ReadRichFeedback(path=richhf(tmp_path / "train.tfrecord"), images=folder)
    with pytest.raises(InputError, match=f"{UIDS[1]}.png and deep/{UIDS[1]}.jpg have one name"):
        list(source.batches())


def test_the_fingerprint_sees_pictures_and_captions(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "pictures", *UIDS)
    source = ReadRichFeedback(path=richhf(tmp_path / "train.tfrecord"), images=folder)
    before = source.fingerprint()
    assert before == source.fingerprint()
    (Path(folder) / f"{UIDS[0]}.txt").write_text("a red hat", encoding="utf-8")
    assert source.fingerprint() != before
