"""Scores of several subjects on coloured spots: what is found, matched, missing or mixed, recomputed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rather.core.row import ANSWER, COLUMNS
from rather.filters.score_grounding import Grounding, mixing
from rather.filters.score_multi_subject import MultiSubject
from rather.filters.score_psr import Psr
from rather.models.fake_detector import FakeDetector
from rather.models.fake_vision import FakeVision

from ..judges import FakeContext
from ..models.test_detectors import spots
from ..photos import photo

SEE = FakeVision()
MODELS = {"zero_shot_detector": FakeDetector(0.01), "efficientnet": SEE}
RED, BLUE = spots(("red", (0, 0, 64, 64))), spots(("blue", (0, 0, 64, 64)))
BOTH = spots(("red", (0, 0, 32, 32)), ("blue", (32, 32, 64, 64)))
TWICE = spots(("red", (0, 0, 16, 16)), ("red", (40, 0, 64, 24)), ("blue", (0, 40, 24, 64)))
ONLY_RED = spots(("red", (8, 8, 56, 56)))
BROKEN = photo(1)[:300]


def image(data: bytes | None) -> dict[str, Any] | None:
    return None if data is None else {"bytes": data, "path": None}


def rows(*each: tuple[Any, Any, list[str | None] | None], **more: Any) -> pa.Table:
    """Chosen picture, references and names a row."""
    return pa.table(
        {
            "chosen": pa.array([{"image": image(data), "text": None} for data, _, _ in each], ANSWER),
            "images": pa.array([None if r is None else [image(d) for d in r] for _, r, _ in each], COLUMNS["images"]),
            "subjects": pa.array([names for _, _, names in each], pa.list_(pa.string())),
            **more,
        }
    )


def scored(stage: Any, batch: pa.Table) -> dict[str, list[Any]]:
    found = stage.score(batch, FakeContext(MODELS))
    told = {column.name: column.type for column in stage.columns_written()}
    assert {name: array.type for name, array in found.items()} == told
    return {name.removeprefix("chosen_"): array.to_pylist() for name, array in found.items()}


PAIR = ["a red ball", "a blue box"]
SCENES = rows(
    (BOTH, [RED, BLUE], PAIR),
    (TWICE, [RED, BLUE], PAIR),
    (ONLY_RED, [RED, BLUE], PAIR),
    (BOTH, [RED], PAIR),
    (BOTH, [RED, BROKEN], PAIR),
    (BROKEN, [RED, BLUE], PAIR),
    (None, [RED, BLUE], PAIR),
    (BOTH, [RED, BLUE], []),
    (BOTH, None, PAIR),
    (BOTH, [RED, BLUE], ["a red ball", None]),
)
OUTCOMES = [
    "ok", "ok", "ok", "not one reference a subject", "reference unreadable", "unreadable", "no image", "no subjects",
    "no reference", "a subject without a name",
]  # fmt: skip


def test_each_subject_takes_a_region_of_its_own() -> None:
    found = scored(MultiSubject(of="chosen"), SCENES)
    assert found["multi_subject_outcome"] == OUTCOMES
    assert found["multi_subject"][:3] == pytest.approx([1, 1, 0.5], abs=1e-5)
    assert found["multi_subject_per_subject"][2] == [pytest.approx(1, abs=1e-5), None], (
        "missing is null, and 0 in the mean"
    )
    assert (
        found["multi_subject_assignment"][0] in ([0, 1], [1, 0]) and len({*found["multi_subject_assignment"][1]}) == 2
    )
    assert found["multi_subject_assignment"][2] == [0, None]
    assert found["multi_subject_detected"][:3] == [2, 3, 1] and found["multi_subject_extra"][:3] == [0, 1, 0]
    assert found["multi_subject"][3:] == found["multi_subject_per_subject"][3:] == [None] * 7


@pytest.mark.parametrize(("reduce", "expected"), [("mean", 0.5), ("product", 0.0), ("min", 0.0)])
def test_a_missing_subject_by_each_way_to_reduce(reduce: Any, expected: float) -> None:
    assert scored(MultiSubject(of="chosen", reduce=reduce), SCENES)["multi_subject"][2] == pytest.approx(
        expected, abs=1e-5
    )


def test_one_region_cannot_stand_for_two_subjects() -> None:
    twins = rows((ONLY_RED, [RED, RED], ["a red ball", "a red box"]))
    for match in ("hungarian", "greedy"):
        found = scored(MultiSubject(of="chosen", match=match), twins)
        assert found["multi_subject_detected"] == [1] and found["multi_subject"] == [pytest.approx(0.5, abs=1e-5)]
    by_name = scored(MultiSubject(of="chosen", match="category"), rows((TWICE, [RED, RED], ["red", "red"])))
    assert by_name["multi_subject_assignment"] == [[0, 1]] and by_name["multi_subject_extra"] == [0]


def test_given_boxes_need_no_detector() -> None:
    boxes = pa.array([[[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]], [[0.5, 0.5, 1, 1], None], [[0, 0, 2, 1]] * 2, None])
    batch = rows(*[(BOTH, [RED, BLUE], PAIR)] * 4, boxes=boxes)
    stage = MultiSubject(of="chosen", detector=None, boxes="boxes")
    found = scored(stage, batch)
    assert found["multi_subject_outcome"] == ["ok", "ok", "a box that is none", "not one box a subject"]
    swapped = float(SEE.encode([RED])[0] @ SEE.encode([BLUE])[0])
    assert found["multi_subject_per_subject"][:2] == [
        pytest.approx([1, 1], abs=1e-5),
        [pytest.approx(swapped, abs=1e-5), None],
    ]
    assert found["multi_subject_assignment"][:2] == [[0, 1], [0, None]]
    assert scored(stage, rows((BROKEN, [RED], ["a"]), boxes=pa.array([[[0.0, 0, 1, 1]]])))["multi_subject_outcome"] == [
        "unreadable"
    ]


def test_candidates_have_lists() -> None:
    answers = [[{"image": image(data), "text": None} for data in (BOTH, ONLY_RED)], [], None]
    batch = pa.table({
        "candidates": pa.array(answers, COLUMNS["candidates"]),
        "images": pa.array([[image(RED), image(BLUE)]] * 3, COLUMNS["images"]),
        "subjects": pa.array([PAIR] * 3),
    })  # fmt: skip
    found = MultiSubject(of="candidates").score(batch, FakeContext(MODELS))
    assert found["multi_subject"].to_pylist() == [pytest.approx([1, 0.5], abs=1e-5), [], None]
    assert found["multi_subject_assignment"].to_pylist()[0][1] == [0, None]


def test_rows_are_the_same_alone_and_in_company() -> None:
    for stage in (MultiSubject(of="chosen"), Psr(of="chosen"), Grounding(of="chosen")):
        whole = scored(stage, SCENES)
        for k in range(SCENES.num_rows):
            assert {n: v[0] for n, v in scored(stage, SCENES.slice(k, 1)).items()} == {
                n: v[k] for n, v in whole.items()
            }


def test_a_missing_subject_counts_nothing_or_the_whole_picture() -> None:
    zero, whole = scored(Psr(of="chosen"), SCENES), scored(Psr(of="chosen", missing="whole"), SCENES)
    assert zero["psr_outcome"] == whole["psr_outcome"] == OUTCOMES
    assert zero["psr"][:3] == pytest.approx([1, 1, 0.5], abs=1e-5)
    instead = float(SEE.encode([ONLY_RED])[0] @ SEE.encode([BLUE])[0])
    assert whole["psr"][2] == pytest.approx((1 + instead) / 2, abs=1e-5)
    assert zero["psr_missing"][:3] == [[], [], ["a blue box"]] and zero["psr_missing"][3] is None
    assert whole["psr_per_subject"][2][1] is None


def test_references_are_cut_to_their_subject_where_it_is_found() -> None:
    scene = spots(("red", (0, 0, 20, 20)), ("yellow", (20, 20, 64, 64)))
    batch = rows((ONLY_RED, [scene], ["red"]), (ONLY_RED, [BLUE], ["red"]))
    cut, plain = (scored(Psr(of="chosen", crop_references=way), batch)["psr"] for way in (True, False))
    assert cut[0] == pytest.approx(1, abs=1e-5) and plain[0] < 0.99
    assert cut[1] == plain[1], "a reference in which nothing is found stays whole"


def test_grounding_counts_missing_as_nothing_and_tells_mixing() -> None:
    swapped = rows(
        (BOTH, [BLUE, RED], PAIR), (BOTH, [RED, BLUE], PAIR), (ONLY_RED, [RED, BLUE], PAIR), (ONLY_RED, [RED], ["red"])
    )
    found = scored(Grounding(of="chosen"), swapped)
    assert found["grounding_mixing"] == [1.0, 0.0, 0.0, None]
    like = max(0.0, float(SEE.encode([RED])[0] @ SEE.encode([BLUE])[0]))
    assert found["grounding"] == pytest.approx([like, 1, 0.5, 1], abs=1e-5)
    assert found["grounding_missing"] == [[], [], ["a blue box"], []]
    assert mixing(np.array([[0.5, 0.9], [0.6, 0.2]]), np.array([0, -1])) == 1.0
    assert mixing(np.ones((2, 0)), np.array([-1, -1])) is None


def test_without_references_the_detector_says_how_sure_it_is() -> None:
    stage = Grounding(of="chosen", by="confidence", model=None)
    assert stage.models_named() == ("zero_shot_detector",) and "images" not in stage.columns_read()
    found = scored(stage, SCENES.drop_columns(["images"]))
    assert found["grounding"][:3] == pytest.approx([1, 1, 0.5]) and found["grounding_mixing"][0] is None
    assert found["grounding_outcome"][4] == "ok" and found["grounding_outcome"][9] == "a subject without a name"


def test_mistakes_are_told_before_the_run() -> None:
    assert MultiSubject(detector=None).faults() and MultiSubject(boxes="b").faults() and not MultiSubject().faults()
    assert Grounding(model=None).faults() and not Grounding().faults()
    assert Psr().columns_read() == ("subjects", "images", "chosen", "rejected")
