"""`degrade-photos` from a folder of photos to pairs a trainer reads, and what `datasets` makes of them."""

from __future__ import annotations

import io
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from rather.cli import api
from rather.models.encoders_image import EfficientNetLite0

from ..filters.test_odd_images import odd_images
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


@pytest.fixture
def base_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that only the extras bring can be imported."""
    for name in ("torch", "torchvision", "transformers", "diffusers", "open_clip", "timm"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.full
@pytest.mark.usefixtures("base_install")
def test_photos_of_a_benchmark(tmp_path: Path, data: Path) -> None:
    """Sixty photos of fifteen subjects: three pairs each; what stays lies in the band, what goes does not."""
    view = api.run("degrade-photos", [f"read.path={data / 'images/dreambooth_subset'}"], out=tmp_path / "run")
    counts = {count.stage: count for count in view.funnel}
    assert counts["synth.degrade"].rows_out == 180 and 110 <= counts["filter.band"].rows_out <= 165
    rows = pq.read_table(tmp_path / "run/data/data").to_pylist()
    assert {row["degradation"] for row in rows} == {"blur", "noise", "jpeg", "downsample", "occlude"}
    encode = EfficientNetLite0().encode
    clean, worse = (encode([row[name] for row in rows]).astype(float) for name in ("jpg_0", "jpg_1"))
    cosines = (clean * worse).sum(axis=1)
    assert cosines == pytest.approx([row["similarity"] for row in rows], abs=1e-5)
    assert len(rows) == counts["filter.band"].rows_out and 0.3 <= cosines.min() <= cosines.max() <= 0.9
    for gone in view.dropped("filter.band").to_pylist():
        assert gone["value_similarity"] > 0.9 if gone["reason"] == "above the band" else gone["value_similarity"] < 0.3
    page = (tmp_path / "run/report.html").read_text(encoding="utf-8")
    assert all(f"against the strength of {row['degradation']}" in page for row in rows)


@pytest.mark.full
@pytest.mark.usefixtures("base_install")
def test_likeness_of_every_photo_falls_with_strength(tmp_path: Path, data: Path) -> None:
    """Sixty photos, every kind at every strength: each mean below the one before, and nearly every photo so."""
    path = f"read.path={data / 'images/dreambooth_subset'}"
    view = api.run("degrade-photos", [path, "synth.sweep=true", "synth.each=1"], out=tmp_path / "run")
    table = view.frame("score.image_quality").table(["source_id", "degradation", "strength", "similarity"])
    found = table.to_pandas().pivot(index=["degradation", "source_id"], columns="strength", values="similarity")
    assert len(found) == 5 * 60
    for _, kind in found.groupby("degradation"):
        steps = np.diff(kind.dropna(axis=1).to_numpy(), prepend=1.0, axis=1)
        assert steps.shape == (60, 4) and (steps.mean(axis=0) < -0.05).all() and (steps < 0).mean() > 0.98


def test_odd_photos_are_handled_or_named(tmp_path: Path) -> None:
    """Of each odd picture that can be seen there are pairs; of each other its row id and why; nothing else is lost."""
    odd = odd_images()
    (tmp_path / "photos/thing").mkdir(parents=True)
    for name, (photo, _) in odd.items():
        (tmp_path / f"photos/thing/{name}.png").write_bytes(photo)
    view = api.run("degrade-photos", [f"read.path={tmp_path / 'photos'}"], out=tmp_path / "run")
    names = sorted(odd)
    gone = {names[row["place"]["row"]]: (row["id"], row["reason"]) for row in view.dropped("filter.rules").to_pylist()}
    lost = {names[row["place"]["row"]]: (row["id"], row["error"]) for row in view.failed("synth.degrade").to_pylist()}
    read = dict(zip(names, view.frame("read.images").table(["id"])["id"].to_pylist(), strict=True))
    assert gone == {name: (read[name], "unreadable") for name in ("empty", "text")}
    assert {name: row_id for name, (row_id, _) in lost.items()} == {name: read[name] for name in ("bomb", "cut")}
    assert "far more than" in lost["bomb"][1] and "truncated" in lost["cut"][1]
    table = view.frame("score.image_quality").table(["source_id", "similarity_outcome", "chosen_quality_outcome"])
    sound = Counter(Path(path).stem for path in table["source_id"].to_pylist())
    assert set(sound) == set(names) - {*gone, *lost}
    flat = {"pixel", "wide"}  # of one colour: not every kind changes them
    assert all(1 <= count <= 3 if name in flat else count == 3 for name, count in sound.items())
    assert set(table["similarity_outcome"].to_pylist()) == set(table["chosen_quality_outcome"].to_pylist()) == {"ok"}


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
