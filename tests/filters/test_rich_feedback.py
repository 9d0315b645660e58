"""Labels of words and maps of flaws: counts that must fit, masks recomputed, what is unreadable."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from rather.core.row import IMAGE, text_messages
from rather.filters.rich_feedback import MaskFromHeatmap, RichTokens, heat, tokens, widened

from ..judges import FakeContext


def labelled(labels: pa.Array, *prompts: str) -> dict[str, list[Any]]:
    batch = pa.table({"prompt": text_messages(pa.array(prompts)), "prompt_misalignment_label": labels})
    found = RichTokens().score(batch, FakeContext({}))
    return {name: column.to_pylist() for name, column in found.items()}


def test_words_are_split_as_the_labels_count_them() -> None:
    assert tokens('a "red" hat, on: the;beach.Yes? no!') == ["a", "red", "hat", "on", "the", "beach", "Yes", "no"]
    assert tokens(" ,. ") == [] and tokens("it's semi-dark") == ["it's", "semi-dark"]


def test_labels_must_be_as_many_as_words() -> None:
    labels = pa.array(["1 0 1", "1 0", None, "1 2 1", "1 1 1", "0 0 0"])
    found = labelled(labels, *["a red hat"] * 6)
    assert found["tokens_outcome"] == ["ok", "unlike numbers", "no labels", "not labels", "ok", "ok"]
    assert found["tokens_share"] == [pytest.approx(2 / 3), None, None, None, 1, 0], "0 is missed, 1 is shown"
    assert found["tokens_missed"] == [["red"], None, None, None, [], ["a", "red", "hat"]]
    assert found["tokens_prompt"] == ["a hat", None, None, None, None, None]
    assert found["tokens"][1] == ["a", "red", "hat"]
    assert labelled(pa.array([[1, 0, 1]]), "a red hat")["tokens_missed"] == [["red"]]


def map_of(*spots: tuple[int, int, int]) -> bytes:
    levels = np.zeros((50, 100), np.uint8)
    for y, x, value in spots:
        levels[y, x] = value
    out = io.BytesIO()
    Image.fromarray(levels).save(out, "PNG")
    return out.getvalue()


def masked(column: pa.Array, **options: Any) -> dict[str, list[Any]]:
    found = MaskFromHeatmap(**options).score(pa.table({"artifact_map": column}), FakeContext({}))
    return {name: array.to_pylist() for name, array in found.items()}


def test_masks_are_what_is_near_the_largest_flaw() -> None:
    data = [map_of((10, 10, 200), (30, 60, 120), (40, 90, 90)), map_of((10, 10, 9)), None, b"no image"]
    column = pa.array([{"bytes": one, "path": None} for one in data], IMAGE)
    found = masked(column, widen=0.02)
    assert found["mask_outcome"] == ["ok", "nothing marked", "no map", "unreadable"]
    mask = np.asarray(Image.open(io.BytesIO(found["mask"][0]["bytes"])))
    assert mask.shape == (50, 100) and {*np.unique(mask).tolist()} == {0, 255}
    disc = 13  # points within 2 of a point
    assert (mask == 255).sum() == 2 * disc and mask[30, 62] == 255 and mask[40, 90] == 0
    assert found["mask_area"] == [pytest.approx(2 * disc / 5000), None, None, None]
    assert masked(column, widen=0, threshold=0.7)["mask_area"][0] == 1 / 5000


def test_maps_may_be_numbers() -> None:
    numbers = pa.array([[[0, 255], [0, 0]], [[1, 2], [3]], [], None])
    found = masked(numbers, widen=0)
    assert found["mask_outcome"] == ["ok", "unreadable", "unreadable", "no map"] and found["mask_area"][0] == 0.25
    assert heat(map_of((0, 0, 77)))[0, 0] == 77  # type: ignore[index]
    assert not widened(np.zeros((3, 3), bool), 2).any() and widened(np.eye(3, dtype=bool), 0).sum() == 3
