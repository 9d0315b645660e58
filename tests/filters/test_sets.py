"""Sets of images: how varied their layouts are, what of them is compared, and the front of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rather.core.row import COLUMNS
from rather.filters.pareto import Pareto, dominated
from rather.filters.score_set_layout import SetLayout, distances
from rather.filters.score_setwise import Setwise
from rather.models.fake_detector import FakeDetectorSpec
from rather.models.regions import cut

from ..image_rows import BROKEN, A, B, answer, cos, scored, sets
from ..models.test_detectors import spots
from ..narrows import narrow_of

DETECTOR = {"zero_shot_detector": FakeDetectorSpec().load()}
BOXES = pa.list_(pa.list_(pa.float64()))


def named(*rows: tuple[str | None, list[bytes] | None]) -> pa.Table:
    names, candidates = zip(*rows, strict=True)
    listed = [None if one is None else [answer(data) for data in one] for one in candidates]
    return pa.table({"candidates": pa.array(listed, COLUMNS["candidates"]), "class_name": pa.array(names, pa.string())})


def test_distances_by_hand() -> None:
    """Left half against right half: centres (¼, ½) and (¾, ½), sizes alike: d = ½.

    Left half against the whole: centres (¼, ½) and (½, ½), widths ½ and 1: d = √(¼² + ½²) = √5/4.
    """
    left, right, whole = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 1.0)
    found = distances([left, right, whole])
    assert found[0, 1] == pytest.approx(0.5) and found[0, 2] == pytest.approx(5**0.5 / 4) == found[1, 2]
    assert (found == found.T).all() and not np.diag(found).any()


def test_boxes_that_are_given() -> None:
    """Three boxes of distances ½, √5/4 and √5/4; without the third ½ is left, without another √5/4."""
    left, right, whole = [0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]
    rows: list[Any] = [[left, None, right, whole], [left, left], [left, None], [left], [[0, 0, 2, 1], left], None]
    batch = named(*[("dog", [A] * n) for n in (4, 2, 2, 2, 2, 2)], ("dog", None))
    batch = batch.append_column("boxes", pa.array([*rows, None], BOXES))
    found = scored(SetLayout(detector=None, boxes="boxes"), batch)
    wide, mean = 5**0.5 / 4, (0.5 + 5**0.5 / 2) / 3
    assert found["set_layout"] == [pytest.approx(mean), 0, *[None] * 5]
    assert found["set_layout_gain"][0] == [
        pytest.approx(mean - wide), None, pytest.approx(mean - wide), pytest.approx(mean - 0.5)
    ]  # fmt: skip
    assert found["set_layout_gain"][1] == [None, None] and found["set_layout_size"] == [3, 2, 1, 0, 0, 0, 0]
    few, unlike = "fewer than two boxes", "not one box a candidate"
    assert found["set_layout_outcome"] == ["ok", "ok", few, unlike, "a box that is none", unlike, few]


def test_boxes_that_are_found() -> None:
    """The surest region of the subject's name; a picture without it, or that cannot be read, takes no part."""
    first, second = spots(("red", (0, 0, 32, 64))), spots(("red", (32, 0, 64, 64)), ("blue", (0, 0, 8, 8)))
    none = spots(("blue", (0, 0, 8, 8)))
    batch = named(("red", [first, none, second, BROKEN]), (None, [first, second]), ("red", [first, none]), ("red", []))
    found = scored(SetLayout(), batch, DETECTOR)
    assert found["set_layout"] == [pytest.approx(0.5), None, None, None]
    assert found["set_layout_boxes"][0] == [[0, 0, 0.5, 1], None, [0.5, 0, 1, 1], None]
    few = "fewer than two boxes"
    assert found["set_layout_outcome"] == ["ok", "no subject", few, few]
    assert SetLayout(boxes="boxes").faults() and SetLayout(detector=None).faults() and not SetLayout().faults()


def test_likeness_of_what_lies_in_the_boxes() -> None:
    half = [0.0, 0.0, 0.5, 1.0]
    batch = sets(("x", [A, B, A], []), ("x", [A, B], []))
    batch = batch.append_column("boxes", pa.array([[half, half, None], [half, [0.5, 0.0, 0.2, 1.0]]], BOXES))
    found = scored(Setwise(boxes="boxes"), batch)
    parts = [cut(image, [(0.0, 0.0, 0.5, 1.0)])[0] for image in (A, B)]
    assert found["setwise"] == [pytest.approx(cos(*parts), abs=1e-6), None] and found["setwise_size"] == [2, 1]
    assert found["setwise"][0] != pytest.approx(cos(A, B), abs=1e-3)


def test_the_front_is_what_nothing_beats() -> None:
    """(1, 3), (2, 2) and (3, 1) stand; (2, 1) is beaten by (2, 2) and (3, 1), its equal twin of (3, 1) stands too."""
    merit = np.array([[1, 3], [2, 2], [3, 1], [2, 1], [3, 1], [0, 0]], float)
    assert dominated(merit).tolist() == [False, False, False, True, False, True]
    rng = np.random.default_rng(3)
    merit = rng.integers(0, 5, (60, 3)).astype(float)
    naive = [
        any((merit[j] >= merit[i]).all() and (merit[j] > merit[i]).any() for j in range(60)) for i in range(60)
    ]  # fmt: skip
    assert dominated(merit).tolist() == naive and len(set(naive)) == 2


def test_fronts_of_groups_and_of_scores_lower_is_better(tmp_path: Path) -> None:
    columns = {
        "setwise": [0.9, 0.8, 0.7, 0.9, None], "set_layout": [0.1, 0.2, 0.2, 0.1, 0.5], "cost": [3, 1, 1, 2, 0],
        "subject": ["dog", "dog", "cat", "cat", "cat"],
    }  # fmt: skip
    beaten, missing = "another is better on all counts", "a score is missing"
    narrow = narrow_of(tmp_path, columns)
    assert Pareto().select(narrow).to_pylist() == [None, None, beaten, None, missing]
    assert Pareto(per="subject").select(narrow).to_pylist() == [None, None, None, None, missing]
    cheap = Pareto(by=("setwise",), lower=("cost",))
    assert cheap.select(narrow).to_pylist() == [beaten, None, beaten, None, missing]
    assert Pareto(by=("a",)).faults() and Pareto(by=("a", "b"), lower=("a",)).faults() and not Pareto().faults()
