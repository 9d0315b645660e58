"""`degrade-photos` from a folder of photos to pairs a trainer reads, and what `datasets` makes of them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image
from rather.cli import api

from ..photos import photo_folder
from ..runs import run_text


def test_photos_become_pairs_with_a_gallery(tmp_path: Path) -> None:
    photos = photo_folder(tmp_path / "photos", 4, 3)
    (photos / "subject_0/broken.jpg").write_bytes(b"")
    view = api.run("degrade-photos", [f"read.path={photos}"], out=tmp_path / "run")
    counts = {count.stage: count for count in view.funnel}
    assert counts["read.images"].rows_out == 13 and counts["filter.rules"].dropped == {"unreadable": 1}
    assert counts["synth.degrade"].rows_out == 36
    left = counts["filter.band"].rows_out
    assert 6 <= left <= 36 and sum(counts["filter.band"].dropped.values()) == 36 - left
    table = pq.read_table(tmp_path / "run/data/data")
    assert table.num_rows == left and {"jpg_0", "jpg_1", "label_0", "caption"} <= set(table.column_names)
    clean = {path.read_bytes() for path in photos.rglob("*.jpeg")}
    for row in table.to_pylist():
        assert row["jpg_0"] in clean and row["jpg_1"] not in clean and row["label_0"] == 1.0
        assert Image.open(io.BytesIO(row["jpg_1"])).size == (96, 80)
        assert 0.3 <= row["similarity"] <= 0.9 and row["caption"].startswith("a photo of a subject ")
    assert 'id="gallery"' in (tmp_path / "run/report.html").read_text(encoding="utf-8")


@pytest.mark.full
def test_photos_of_a_benchmark(tmp_path: Path, data: Path) -> None:
    """Sixty photos of fifteen subjects: three pairs each, most of them in the band."""
    view = api.run("degrade-photos", [f"read.path={data / 'images/dreambooth_subset'}"], out=tmp_path / "run")
    counts = {count.stage: count for count in view.funnel}
    assert counts["synth.degrade"].rows_out == 180 and 110 <= counts["filter.band"].rows_out <= 165
    made = view.frame("filter.band").table(["degradation"])["degradation"].to_pylist()
    assert set(made) == {"blur", "noise", "jpeg", "downsample", "occlude"}


def test_written_images_are_pictures_to_datasets_and_the_same_bytes(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    photos = photo_folder(tmp_path / "photos", 2, 2, "PNG")
    stages = "  - synth.degrade: {kinds: [blur]}\n  - write.parquet: {dialect: rather}\n"
    run_text(f"name: r\nstages:\n  - read.images: {{path: '{photos}'}}\n{stages}", tmp_path / "run")
    found = datasets.load_dataset(str(tmp_path / "run/data"), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(found) == 4
    for row in found:
        sides = [row["chosen"]["image"], row["rejected"]["image"], *row["images"]]
        assert all(isinstance(side, Image.Image) and side.size == (96, 80) for side in sides)
        assert json.loads(row["rejected"]["made_by"]["params"])["side"] == 80
    again = found.with_format("arrow")[:]["chosen"].combine_chunks().field("image").field("bytes").to_pylist()
    assert sorted(again) == sorted(path.read_bytes() for path in photos.rglob("*.png"))
