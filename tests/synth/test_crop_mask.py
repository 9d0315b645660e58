"""Reference images cut to their subject: the square, the fill, and rows whose subject was not found."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from rather.core.errors import RowError
from rather.core.row import COLUMNS, text_messages
from rather.core.view import RunView
from rather.models.cropping import alone, box_of, box_of_mask, square
from rather.models.imaging import decoded
from rather.synth.crop_mask import CropMask

from ..runs import run_text

GREY = (127, 127, 127)


def scene() -> Image.Image:
    """A blue picture, 100 by 60, with a red subject from (20, 10) to (60, 30)."""
    picture = Image.new("RGB", (100, 60), "blue")
    picture.paste((255, 0, 0), (20, 10, 60, 30))
    return picture


def mask(left: int = 20, top: int = 10, right: int = 60, bottom: int = 30) -> Image.Image:
    found = Image.new("L", (100, 60), 0)
    if right > left:
        found.paste(255, (left, top, right, bottom))
    return found


def png(picture: Image.Image) -> dict[str, Any]:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return {"bytes": out.getvalue(), "path": "a.png"}


def share(picture: Image.Image, colour: tuple[int, int, int]) -> float:
    return float((np.asarray(picture) == colour).all(axis=2).mean())


def test_the_square_holds_the_box_and_what_is_around_it() -> None:
    found = square(scene(), (0.2, 10 / 60, 0.6, 0.5), 0.0, GREY)
    assert found.size == (40, 40) and share(found, (255, 0, 0)) == 0.5 and share(found, (0, 0, 255)) == 0.5
    assert square(scene(), (0.2, 10 / 60, 0.6, 0.5), 0.25, GREY).size == (60, 60)


def test_what_lies_outside_the_picture_is_filled() -> None:
    found = square(scene(), (0.0, 0.0, 1.0, 1.0), 0.0, GREY)
    assert found.size == (100, 100) and share(found, GREY) == pytest.approx(0.4)
    assert share(square(scene(), (0.9, 0.9, 1.0, 1.0), 0.0, GREY), (0, 0, 255)) == pytest.approx(0.8, abs=0.1)


def test_a_mask_leaves_the_subject_alone() -> None:
    assert box_of_mask(mask()) == (0.2, 10 / 60, 0.6, 0.5) and box_of_mask(mask(0, 0, 0, 0)) is None
    found = square(alone(scene(), mask(), GREY), (0.2, 10 / 60, 0.6, 0.5), 0.0, GREY)
    assert share(found, (255, 0, 0)) == 0.5 and share(found, GREY) == 0.5
    small = alone(scene(), mask().resize((50, 30)), GREY)
    assert share(small, (255, 0, 0)) == pytest.approx(40 * 20 / 6000, rel=0.15)


@pytest.mark.parametrize("box", [[0.1, 0.1, 0.5], [0, 0, 2, 1], [0.5, 0, 0.5, 1], [0.1, None, 0.4, 0.5], []])
def test_what_is_no_box_is_a_failed_row(box: list[Any]) -> None:
    with pytest.raises(RowError, match="box"):
        box_of(box)


def run(tmp_path: Path, name: str, images: list[Any], regions: pa.Array, options: str) -> RunView:
    rows = {
        "prompt": text_messages(pa.array([f"p{k}" for k in range(len(images))])),
        "images": pa.array(images, COLUMNS["images"]),
        name: regions,
    }
    pq.write_table(pa.table(rows), tmp_path / "rows.parquet")
    stages = f"  - read.rows: {{path: '{tmp_path}/rows.parquet'}}\n  - ref.crop_mask: {options}\n"
    return run_text(f"name: c\nmax_failed: 0.5\nstages:\n{stages}", tmp_path / "run")


def test_rows_with_boxes(tmp_path: Path) -> None:
    good = [0.2, 10 / 60, 0.6, 0.5]
    regions = [[good, [0.0, 0.0, 0.5, 0.5]], [good], [[3.0, 0, 1, 1]], None]
    images = [[png(scene()), png(scene())], [png(scene())] * 2, [png(scene())], []]
    view = run(tmp_path, "box", images, pa.array(regions), "{boxes: box, margin: 0.25}")
    assert sorted(view.dropped("ref.crop_mask")["reason"].to_pylist()) == [
        "an image without its box or mask", "no reference image"
    ]  # fmt: skip
    assert "is no box" in view.failed("ref.crop_mask")["error"][0].as_py()
    [row] = view.frame("ref.crop_mask").table(["images"]).to_pylist()
    assert [decoded(image["bytes"]).size for image in row["images"]] == [(60, 60), (75, 75)]
    assert row["images"][0]["path"] == "a.png"


def test_rows_with_masks(tmp_path: Path) -> None:
    masks = pa.array([[png(mask())], [png(mask(0, 0, 0, 0))]], COLUMNS["images"])
    view = run(tmp_path, "mask", [[png(scene())], [png(scene())]], masks, "{masks: mask, fill: white}")
    assert view.dropped("ref.crop_mask")["reason"].to_pylist() == ["a mask that shows nothing"]
    [row] = view.frame("ref.crop_mask").table(["images"]).to_pylist()
    found = decoded(row["images"][0]["bytes"])
    assert share(found, (255, 0, 0)) == 0.5 and share(found, (255, 255, 255)) == 0.5


def test_one_column_tells_the_subject() -> None:
    assert CropMask(boxes="b").faults() == [] and CropMask().faults() and CropMask(boxes="b", masks="m").faults()
    assert CropMask(masks="m").columns_read() == ("images", "m")
