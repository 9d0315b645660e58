"""Images compared, measured and told apart: likeness, bands, quality, near duplicates."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rather.core.row import ANSWER, arrow_vectors, text_messages
from rather.core.view import RunView
from rather.filters.band import Band
from rather.filters.image_quality import ImageQuality, measured
from rather.filters.near_duplicate_images import NearDuplicateImages, repeated
from rather.filters.score_image_similarity import ImageSimilarity
from rather.models.encoders_image import EfficientNetLite0
from rather.models.imaging import decoded, encoded
from rather.synth.pixel_ops import blurred

from ..image_rows import BROKEN, A, B, scored, sets
from ..narrows import narrow_of
from ..photos import photo, photo_folder, picture
from ..runs import run_text


def answer(image: bytes | None, text: str | None = None) -> dict[str, Any] | None:
    return {"image": {"bytes": image, "path": None} if image is not None else None, "text": text}


def run(tmp_path: Path, rows: list[dict[str, Any]], stages: str, **told: Any) -> RunView:
    columns = {
        "prompt": text_messages(pa.array([f"a photo of {k}" for k in range(len(rows))])),
        "chosen": pa.array([row["chosen"] for row in rows], ANSWER),
        "rejected": pa.array([row["rejected"] for row in rows], ANSWER),
    }
    tmp_path.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    recipe = f"name: i\nstages:\n  - read.rows: {{path: '{tmp_path}/rows.parquet'}}\n{stages}"
    return run_text(recipe, tmp_path / "run", **told)


def rows_with_faults() -> list[dict[str, Any]]:
    """Sound pairs, and one each without an image, broken, without bytes and with text only."""
    sound = [{"chosen": answer(photo(k)), "rejected": answer(photo(k + 1))} for k in range(5)]
    return [
        *sound,
        {"chosen": answer(photo(1)), "rejected": None},
        {"chosen": answer(photo(1)[:500]), "rejected": answer(photo(2))},
        {"chosen": answer(b""), "rejected": answer(photo(2)[:500])},
        {"chosen": answer(photo(1)), "rejected": answer(photo(2))},
        {"chosen": answer(None, "text"), "rejected": answer(photo(2))},
    ]


SCORES = """
  - score.image_similarity: {}
  - score.image_quality: {}
"""


def test_likeness_is_the_cosine_and_a_bad_image_has_none(tmp_path: Path) -> None:
    rows, encoder = rows_with_faults(), EfficientNetLite0()
    view = run(tmp_path, rows, SCORES)
    table = view.frame("score.image_quality").table()
    assert table["similarity_outcome"].to_pylist() == [
        *["ok"] * 5, "no image", "unreadable", "unreadable", "ok", "no image"
    ]  # fmt: skip
    for k, row in enumerate(table.to_pylist()):
        assert (row["similarity"] is None) == (row["similarity_outcome"] != "ok")
        if k < 5:
            a, b = encoder.encode([photo(k), photo(k + 1)]).astype(float)
            assert row["similarity"] == pytest.approx(a @ b, abs=1e-6)


def test_scores_are_the_same_alone_and_in_company(tmp_path: Path) -> None:
    whole = run(tmp_path / "a", rows_with_faults(), SCORES).frame("score.image_quality").table().to_pylist()
    alone = run(tmp_path / "b", rows_with_faults(), SCORES, batch=1, workers=3)
    strip = [{k: v for k, v in row.items() if k != "place"} for row in whole]
    found = alone.frame("score.image_quality").table().to_pylist()
    assert strip == [{k: v for k, v in row.items() if k != "place"} for row in found]


def test_the_encoder_is_named_with_the_score() -> None:
    score = ImageSimilarity(model="my-dino").columns_written()[0]
    assert "by my-dino" in score.doc and "image-image proxy" in score.doc


def test_quality_is_what_it_says() -> None:
    sharp = picture(1, 600, 540)
    half = Image.new("L", (100, 100), 0)
    half.paste(255, (0, 0, 50, 100))
    values = [measured(sharp)[0], *(measured(blurred(sharp, radius))[0] for radius in (0.5, 1, 2, 4))]
    assert values == sorted(values, reverse=True) and values[-1] < values[0] / 5
    assert measured(half.convert("RGB"))[1:] == (0.5, 0.5, 1.0)
    grey = measured(Image.new("RGB", (9, 9), (51, 51, 51)))
    assert grey == (0.0, pytest.approx(0.2), 0.0, 0.0)
    assert measured(Image.new("RGB", (1, 1), "white")) == (0.0, 1.0, 0.0, 1.0)
    checks = Image.fromarray(np.indices((8, 8)).sum(0).astype(np.uint8) % 2 * 100).convert("RGB")
    assert measured(checks)[0] == pytest.approx(400.0**2)


def test_quality_of_pairs_and_of_what_is_no_image(tmp_path: Path) -> None:
    table = run(tmp_path, rows_with_faults(), "  - score.image_quality: {}\n").frame("score.image_quality").table()
    assert table["chosen_quality_outcome"].to_pylist() == [*["ok"] * 6, "unreadable", "unreadable", "ok", "no image"]
    assert table["chosen_side"].to_pylist() == [80] * 6 + [None, None, 80, None]
    for k, name in enumerate(("sharpness", "exposure", "contrast", "clipping")):
        found = table[f"rejected_{name}"].to_pylist()
        assert [value is None for value in found] == [row in (5, 7) for row in range(10)]
        assert found[0] == pytest.approx(measured(decoded(photo(1)))[k])


def test_quality_of_candidates() -> None:
    """A number a candidate; a candidate that is not there has neither number nor outcome."""
    found = scored(ImageQuality(of="candidates", most=3), sets(("x", [A, BROKEN, "none", B], []), ("x", None, [])))
    assert found["quality_outcome"] == [["ok", "unreadable", None, None], None]
    assert (
        found["sharpness"][0][0] == pytest.approx(measured(decoded(A))[0]) and found["sharpness"][0][1:] == [None] * 3
    )
    assert found["side"] == [[80, None, None, None], None]


def test_a_band_keeps_its_bounds() -> None:
    batch = pa.table({"x": pa.array([0.1, 0.3, 0.5, 0.7, 0.9, None, math.nan])})
    why = Band(column="x", low=0.3, high=0.7).why_drop(batch).to_pylist()
    assert why == ["below the band", None, None, None, "above the band", "no value", "no value"]
    assert Band(column="x", low=0.6).why_drop(batch).to_pylist()[3:5] == [None, None]
    assert Band().faults() == ["a band needs low, high or both"]
    assert Band(low=2, high=1).faults() == ["low (2.0) is above high (1.0)"]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(0, 10_000), st.floats(0.2, 1.0), st.sampled_from([1, 3, 1024]))
def test_the_first_of_near_images_is_kept(n: int, seed: int, least: float, block: int) -> None:
    from rather.filters import near_duplicate_images

    vectors = np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    kept: list[int] = []
    for k in range(n):
        cosines = np.array([float(unit[k] @ unit[j]) for j in kept])
        if (np.abs(cosines - least) < 1e-5).any():
            return  # at the threshold rounding decides
        if not (cosines >= least).any():
            kept.append(k)
    before, near_duplicate_images.BLOCK = near_duplicate_images.BLOCK, block
    try:
        assert np.flatnonzero(~repeated(vectors, least)).tolist() == kept
    finally:
        near_duplicate_images.BLOCK = before


def test_photos_saved_anew_are_found(tmp_path: Path) -> None:
    """Three photos, the second saved anew; one row has no vector, and one is a copy of that."""
    encoder = EfficientNetLite0()
    photos = [photo(1), photo(2), encoded(picture(2), photo(2)), photo(3)]
    vectors = np.vstack([encoder.encode(photos), np.zeros((2, encoder.dim), np.float32)])
    column = pa.FixedSizeListArray.from_arrays(
        arrow_vectors(vectors).flatten(), encoder.dim, mask=pa.array([False] * 4 + [True, False])
    )
    why = NearDuplicateImages().select(narrow_of(tmp_path, {"chosen_image_vector": column})).to_pylist()
    assert why == [None, None, "near duplicate of an earlier image", None, None, None]


def test_photos_saved_anew_go_from_a_folder(tmp_path: Path) -> None:
    """Six photos and one saved again at another quality: the later of the two is dropped, by its vector."""
    root = photo_folder(tmp_path / "photos")
    out = io.BytesIO()
    decoded((root / "subject_1/0.jpeg").read_bytes()).save(out, "JPEG", quality=85)
    (root / "subject_1/9.jpeg").write_bytes(out.getvalue())
    stages = "  - embed.image: {of: [chosen]}\n  - filter.near_duplicate_images: {}\n"
    view = run_text(f"name: n\nstages:\n  - read.images: {{path: '{root}'}}\n{stages}", tmp_path / "run")
    gone = view.dropped("filter.near_duplicate_images")
    assert gone["reason"].to_pylist() == ["near duplicate of an earlier image"]
    assert gone["place"].to_pylist()[0]["row"] == 4
    assert len(view.frame("filter.near_duplicate_images")) == 6
