"""Pictures made on the spot, and their rows, for tests of what paints."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rather.core.row import COLUMNS, text_messages

from .photos import photo


def png(seed: int = 0, width: int = 48, height: int = 40) -> bytes:
    """A picture with detail to lose, as PNG; unlike for every seed."""
    return photo(seed, "PNG", width, height)


def mask(left: int, width: int = 48, height: int = 40) -> bytes:
    """A mask as PNG: white from column `left` on."""
    from PIL import Image

    levels = np.zeros((height, width), np.uint8)
    levels[:, left:] = 255
    out = io.BytesIO()
    Image.fromarray(levels).save(out, "PNG")
    return out.getvalue()


def pixels(image: bytes) -> np.ndarray:
    """uint8 [height, width, 3]."""
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(image)).convert("RGB"))


def sharpness(image: bytes) -> float:
    """Mean absolute difference of neighbouring pixels."""
    levels = pixels(image).astype(float)
    return float(abs(np.diff(levels, axis=0)).mean() + abs(np.diff(levels, axis=1)).mean())


def photo_rows(path: Path, count: int = 4, **columns: Any) -> Path:
    """Rows of a subject each: two reference photos, a target photo, a prompt and a class."""
    things = ("dog", "cat", "vase", "backpack", "teapot", "candle")
    names = [things[k % len(things)] for k in range(count)]
    target = [{"text": None, "turns": None, "image": {"bytes": png(100 + k), "path": None}} for k in range(count)]
    table = {
        "prompt": text_messages(pa.array([f"a red {name} {k} on the beach at sunset" for k, name in enumerate(names)])),
        "images": pa.array(
            [[{"bytes": png(k), "path": None}, {"bytes": png(k + 50), "path": None}] for k in range(count)],
            COLUMNS["images"],
        ),
        "chosen": pa.array(target, COLUMNS["chosen"]),
        "class_name": pa.array(names),
    } | {name: pa.array(values) for name, values in columns.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(table), path)
    return path
