"""Photos as rows: folders, manifests, benchmarks of subjects, and files that are no photos."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from rather.core.row import COLUMNS
from rather.formats import photo_rows
from rather.formats.read_images import ReadImages

DREAMBENCH = """Classes

subject_name,class
bear_plushie,stuffed animal
dog2,dog

Prompts

Object Prompts

prompt_list = [
'a {0} {1} in the jungle'.format(unique_token, class_token),
'a cube shaped {0} {1}'.format(unique_token, class_token)
]

Live Subject Prompts

prompt_list = [
'a {0} {1} wearing a red hat'.format(unique_token, class_token)
]
"""


def photo(colour: str, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (6, 4), colour).save(out, kind)
    return out.getvalue()


def put(root: Path, *names: str) -> None:
    for k, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(photo(f"#0000{k:02x}"))


def rows_of(path: Path, **options: Any) -> list[dict[str, Any]]:
    source = ReadImages(path=str(path), **options)
    assert source.faults() == []
    table = pa.concat_tables(source.batches())
    assert table.column_names == list(source.schema_names()) and table.num_rows == source.rows_expected()
    for name in set(table.column_names) & set(COLUMNS):
        assert table.schema.field(name).type == COLUMNS[name]
    found: list[dict[str, Any]] = table.to_pylist()
    return found


def said(row: dict[str, Any]) -> str:
    return str(row["prompt"][0]["content"])


def test_a_folder_is_a_subject(tmp_path: Path) -> None:
    put(tmp_path, "alarm_clock/b.png", "alarm_clock/a.JPG", "alarm_clock/c.webp", "tea_pot/only.png")
    put(tmp_path, ".cache/x.png", "alarm_clock/.hidden.png")
    (tmp_path / "alarm_clock/notes.txt").write_text("no picture")
    rows = rows_of(tmp_path)
    names = ["alarm_clock/a.JPG", "alarm_clock/b.png", "alarm_clock/c.webp", "tea_pot/only.png"]
    assert [row["source_id"] for row in rows] == names
    assert [row["chosen"]["image"]["path"] for row in rows] == names
    assert all(row["chosen"]["image"]["bytes"] == (tmp_path / row["source_id"]).read_bytes() for row in rows)
    assert said(rows[0]) == "a photo of an alarm clock" and said(rows[3]) == "a photo of a tea pot"
    assert [[image["path"] for image in row["images"]] for row in rows] == [
        [names[1]],
        [names[2]],
        [names[0]],
        [names[3]],
    ]
    assert {row["subject"] for row in rows} == {"alarm_clock", "tea_pot"}


def test_a_text_file_beside_a_photo_is_its_caption(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png", "a/2.png", "a/3.png")
    (tmp_path / "a/2.txt").write_text("  a red ball\n")
    (tmp_path / "a/3.txt").write_text(" ")
    before = ReadImages(path=str(tmp_path)).fingerprint()
    assert [said(row) for row in rows_of(tmp_path)] == ["a photo of an a", "a red ball", "a photo of an a"]
    assert said(rows_of(tmp_path, prompt="{caption}, {subject}")[1]) == "a red ball, a"
    (tmp_path / "a/2.txt").write_text("a blue ball")
    assert ReadImages(path=str(tmp_path)).fingerprint() != before


def test_references_are_the_next_photos_of_the_subject(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png", "a/2.png", "a/3.png")
    for wanted, found in ((0, []), (1, ["a/3.png"]), (5, ["a/3.png", "a/1.png"])):
        assert [image["path"] for image in rows_of(tmp_path, references=wanted)[1]["images"]] == found


def test_a_bad_file_costs_itself_alone(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png", "a/4.png", "a/5.png")
    (tmp_path / "a/2.png").write_bytes(b"")
    (tmp_path / "a/3.png").write_text("<html>not found</html>")
    rows = rows_of(tmp_path)
    assert [row["read_error"] for row in rows] == [None, "an empty file", "no picture by its first bytes", None, None]
    assert [row["chosen"] is None for row in rows] == [False, True, True, False, False]
    assert [row["images"][0]["path"] for row in rows] == ["a/4.png", "a/4.png", "a/4.png", "a/5.png", "a/1.png"]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_manifests_name_photos_and_more(tmp_path: Path, kind: str) -> None:
    put(tmp_path, "deep/photos/x/1.png", "deep/photos/x/2.png")
    told = [
        {
            "file": "photos/x/1.png",
            "subject": "rex",
            "class_name": "dog",
            "caption": "rex asleep",
            "stars": 4,
            "id": "q",
        },
        {"file": "photos/x/2.png", "subject": "rex", "class_name": "dog", "caption": None, "stars": 5, "id": "r"},
        {"file": "photos/x/3.png", "subject": "rex", "class_name": "dog", "caption": "lost", "stars": 1, "id": "s"},
    ]
    path = tmp_path / "deep/photos" / f"manifest.{kind}"
    if kind == "jsonl":
        path.write_text("\n".join(map(json.dumps, told)))
    elif kind == "csv":
        lines = [",".join(told[0]), *(",".join(str("" if v is None else v) for v in row.values()) for row in told)]
        path.write_text("\n".join(lines))
    else:
        pq.write_table(pa.Table.from_pylist(told), path)
    rows = rows_of(path)
    assert rows == rows_of(path.parent)
    assert [said(row) for row in rows] == ["rex asleep", "a photo of a dog", "lost"]
    assert [row["stars"] for row in rows] == [4, 5, 1] and [row["source_source_id"] for row in rows] == ["q", "r", "s"]
    assert rows[2]["read_error"] == "No such file or directory" and rows[2]["chosen"] is None
    assert rows[0]["images"][0]["path"] == "photos/x/2.png" and "caption" not in rows[0]
    told_so = rows_of(path, prompt="{subject}, {a} {class_name}: {caption} ({stars})")
    assert said(told_so[0]) == "rex, a dog: rex asleep (4)" and told_so[0]["caption"] == "rex asleep"


def test_dreambench_classes_and_prompts(tmp_path: Path) -> None:
    put(tmp_path, "dataset/bear_plushie/00.jpg", "dataset/bear_plushie/01.jpg", "dataset/dog2/00.jpg")
    (tmp_path / "dataset/prompts_and_classes.txt").write_text(DREAMBENCH)
    assert [said(row) for row in rows_of(tmp_path)] == ["a photo of a stuffed animal"] * 2 + ["a photo of a dog"]
    rows = rows_of(tmp_path, rows="prompts", token="sks", references=4)
    assert [said(row) for row in rows] == [
        "a sks stuffed animal in the jungle", "a cube shaped sks stuffed animal", "a sks dog wearing a red hat"
    ]  # fmt: skip
    assert [len(row["images"]) for row in rows] == [2, 2, 1] and "chosen" not in rows[0]
    assert [row["source_id"] for row in rows] == ["bear_plushie/0", "bear_plushie/1", "dog2/0"]
    assert said(rows_of(tmp_path, rows="prompts")[1]) == "a cube shaped stuffed animal"


def test_only_what_is_asked_for_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, *(f"a/{k}.png" for k in range(5)))
    monkeypatch.setattr(photo_rows, "PIECE_ROWS", 2)
    source = ReadImages(path=str(tmp_path))
    whole = pa.concat_tables(source.batches())
    assert [table.num_rows for table in source.batches()] == [2, 2, 1]
    for columns in (["subject"], ["prompt", "chosen"], ["images"], ["read_error"]):
        assert sum(table.num_rows for table in source.batches(columns)) == 5
        part = pa.concat_tables(source.batches(columns))
        assert set(part.column_names) == set(columns) and part.equals(whole.select(part.column_names))
    assert sum(table.num_rows for table in source.batches([])) == 5
    for k in range(5):
        (tmp_path / f"a/{k}.png").unlink()
    assert pa.concat_tables(source.batches(["subject", "prompt"])).num_rows == 5


def test_changed_photos_change_the_fingerprint(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png", "a/2.png")
    before = ReadImages(path=str(tmp_path)).fingerprint()
    assert before == ReadImages(path=str(tmp_path)).fingerprint()
    (tmp_path / "a/2.png").write_bytes(photo("white") + b"more")
    assert before != ReadImages(path=str(tmp_path)).fingerprint()


@pytest.mark.parametrize(
    ("make", "options", "words"),
    [
        (lambda root: None, {"path": "nowhere"}, "there is no file or folder"),
        (lambda root: (root / "a").mkdir(), {}, "no picture in"),
        (lambda root: put(root, "flat.png"), {}, "give class_name, or a prompt"),
        (lambda root: put(root, "a/1.png"), {"prompt": "a {clas_name}"}, "did you mean class_name?"),
        (lambda root: put(root, "a/1.png"), {"prompt": "a {subject"}, "prompt: "),
        (lambda root: put(root, "a/1.png"), {"rows": "prompts"}, "no prompts for these subjects"),
        (lambda root: (root / "manifest.jsonl").write_text('{"where": "a.png"}'), {}, "set file_column; it has where"),
        (lambda root: (root / "a.txt").write_text("x"), {"path": "a.txt"}, "is no manifest"),
    ],
)
def test_mistakes_are_told_before_the_run(tmp_path: Path, make: Any, options: dict[str, str], words: str) -> None:
    make(tmp_path)
    path = tmp_path / options.get("path", "")
    faults = ReadImages(**(options | {"path": str(path)})).faults()
    assert len(faults) == 1 and words in faults[0]


def test_photos_in_no_folder(tmp_path: Path) -> None:
    put(tmp_path, "one.png", "two.png")
    for name in ("one", "two"):
        assert "give class_name" in ReadImages(path=str(tmp_path)).faults()[0]
        (tmp_path / f"{name}.txt").write_text(f"caption {name}")
    assert [said(row) for row in rows_of(tmp_path)] == ["caption one", "caption two"]
    for name in ("one", "two"):
        (tmp_path / f"{name}.txt").unlink()
    rows = rows_of(tmp_path, class_name="owl")
    assert [(said(row), row["subject"], row["images"][0]["path"]) for row in rows] == [
        ("a photo of an owl", "one", "one.png"), ("a photo of an owl", "two", "two.png")
    ]  # fmt: skip


def test_real_photos(data: Path) -> None:
    rows = rows_of(data / "images/dreambooth_subset")
    assert len(rows) == 60 and len({row["subject"] for row in rows}) == 15
    assert all(
        row["read_error"] is None and row["images"][0]["bytes"] != row["chosen"]["image"]["bytes"] for row in rows
    )
    prompts = rows_of(data / "images/dreambooth_subset", rows="prompts", token="[V]")
    assert len(prompts) == 375 and said(prompts[0]) == "a [V] dog in the jungle"
