"""Written datasets of images, opened the way their trainers open them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from rather.core.row import ANSWER, COLUMNS, MESSAGES

from ..photos import photo, picture
from ..runs import run_text

KINDS = ("PNG", "JPEG", "WEBP", "JPEG")
PHOTOS, GOOD, BAD = ([photo(10 * place + k, kind) for k, kind in enumerate(KINDS)] for place in range(3))
"""Of each row the image of the prompt, of the chosen and of the rejected answer."""


def rows() -> pa.Table:
    """Four rows with a question about a photo, and good and bad answers of words and a picture."""
    numbers = range(len(KINDS))
    asked = [[{"role": "user", "content": f"what is {k}?"}] for k in numbers]
    sides = [
        pa.array([{"text": f"{word} {k}", "image": image_of(images[k])} for k in numbers], ANSWER)
        for word, images in (("good", GOOD), ("bad", BAD))
    ]
    photos = pa.array([[image_of(image)] for image in PHOTOS], COLUMNS["images"])
    ids = pa.array([f"row{k}" for k in numbers])
    return pa.table(
        {"prompt": pa.array(asked, MESSAGES), "images": photos, "chosen": sides[0], "rejected": sides[1], "id": ids}
    )


def image_of(data: bytes) -> dict[str, Any]:
    return {"bytes": data, "path": None}


def loaded(tmp_path: Path, dialect: str) -> Any:
    """What `datasets` makes of the folder that the rows were written to."""
    from datasets import load_dataset

    pq.write_table(rows(), tmp_path / "rows.parquet")
    stages = f"  - read.rows: {{path: '{tmp_path}/rows.parquet'}}\n  - write.parquet: {{dialect: {dialect}}}\n"
    view = run_text(f"name: d\nstages:\n{stages}", tmp_path / "run")
    return load_dataset(view.facts["write.parquet"]["path"], split="train", cache_dir=str(tmp_path / "cache"))


def seen(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def first(cell: Any) -> Any:
    return cell[0] if isinstance(cell, list) else cell


@pytest.mark.parametrize(
    ("dialect", "columns"),
    [
        ("trl_vlm", {"images": PHOTOS}),
        ("sfo_quad", {"reference": PHOTOS, "target": GOOD, "negative": BAD}),
        ("rlaif_v", {"image": PHOTOS}),
        ("llava_dpo", {"image": PHOTOS}),
        ("llava_critic", {"image": PHOTOS}),
    ],
)
def test_datasets_shows_every_picture_and_keeps_its_bytes(
    tmp_path: Path, dialect: str, columns: dict[str, list[bytes]]
) -> None:
    found = loaded(tmp_path, dialect)
    bare = found.with_format("arrow")[:]
    for name, images in columns.items():
        assert [first(cell)["bytes"] for cell in bare[name].to_pylist()] == images
        for cell, image in zip(found[name], images, strict=True):
            assert np.array_equal(np.asarray(first(cell).convert("RGB")), seen(image))


def test_the_diffusion_dpo_script_s_way_of_loading(tmp_path: Path) -> None:
    """Both images decoded from bytes, swapped only where label_0 is 0, and put one after the other."""
    found = loaded(tmp_path, "diffusion_dpo")
    assert (found["jpg_0"][:], found["jpg_1"][:]) == (GOOD, BAD)
    for k, row in enumerate(found):
        sides = [seen(row[name]) for name in ("jpg_0", "jpg_1")]
        if row["label_0"] == 0:
            sides.reverse()
        assert row["label_0"] in (0.0, 1.0) and row["caption"] == f"what is {k}?"
        assert np.array_equal(np.concatenate(sides, axis=-1), np.concatenate([seen(GOOD[k]), seen(BAD[k])], axis=-1))
    assert np.array_equal(seen(found[0]["jpg_0"]), np.asarray(picture(10))), "a lossless photo to the last pixel"


@pytest.mark.full
def test_trl_s_vision_collator_reads_the_rows(tmp_path: Path) -> None:
    """Chosen rows, then rejected ones: each with its photo's pixels, a token for each patch, and its answer."""
    pytest.importorskip("torch", reason="torch is not installed (rather[train])")
    dpo_trainer = pytest.importorskip("trl.trainer.dpo_trainer", reason="trl is not installed (rather[train])")

    from ..tiny_vlm import PATCH, SIDE, processor

    found, reader = loaded(tmp_path, "trl_vlm"), processor(tmp_path / "vlm")
    batch = dpo_trainer.DataCollatorForVisionPreference(reader)([found[k] for k in range(len(found))])
    photos = [Image.open(io.BytesIO(image)).convert("RGB") for image in PHOTOS]
    expected = reader.image_processor(photos * 2, return_tensors="pt")["pixel_values"]
    assert np.array_equal(batch["pixel_values"], expected)
    token = reader.tokenizer.convert_tokens_to_ids("<image>")
    assert (batch["input_ids"] == token).sum(1).tolist() == [(SIDE // PATCH) ** 2] * 8
    said = [
        reader.tokenizer.decode(ids[mask.bool()], skip_special_tokens=True)
        for ids, mask in zip(batch["input_ids"], batch["completion_mask"], strict=True)
    ]
    answers = [f"{word} {k}" for word in ("good", "bad") for k in range(4)]
    assert all(answer in words for answer, words in zip(answers, said, strict=True)), said
