"""Models that see, loaded as a user would, and the same computed with their libraries, for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rather.core.registry import models
from rather.models.imaging import decoded

from .photos import photo
from .tiny_vision import align_folder, blip_folder, clip_folder, dino_folder, open_clip_folder

PHOTOS = [photo(k, width=40 + 9 * k, height=60) for k in range(11)]
TEXTS = ["a red hat", "two dog", "a red hat", "", "on the beach"]
SEERS = [("open_clip", "open_clip"), ("clip", "clip"), ("align", "align"), ("blip", "blip"), ("dino", "dino")]
FOLDERS: dict[str, Callable[[Path], Path]] = {
    "open_clip": open_clip_folder,
    "clip": clip_folder,
    "align": align_folder,
    "blip": blip_folder,
    "dino": dino_folder,
}


def load(use: str, name: Any, **options: Any) -> Any:
    return models()[use](name=str(name), device="cpu", **options).load()


def unit(rows: Any) -> np.ndarray:
    rows = rows.detach().double().numpy()
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True))


def by_transformers(folder: Path, family: Any = None) -> tuple[Any, Any, Any]:
    """The model, its tokens of TEXTS and its pixels of PHOTOS, all at once."""
    import transformers

    network = (family or transformers.AutoModel).from_pretrained(folder).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    pixels = processor(images=[decoded(image) for image in PHOTOS], return_tensors="pt")["pixel_values"]
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError):
        return network, None, pixels
    return network, tokenizer(TEXTS, padding=True, return_tensors="pt"), pixels
