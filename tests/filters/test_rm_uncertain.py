"""What a baseline reward model is unsure about: thresholds by hand, and a head that knows the originals only."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rather.core.row import arrow_vectors, text_answers, text_messages
from rather.filters.baseline_head import BaselineHead
from rather.filters.rm_uncertain import RmUncertain

from ..judges import FakeContext
from ..narrows import narrow_of

RIGHT, TIED, NONE = "the reward model is right already", "the reward model sees the tie already", "no margin"


def why(stage: RmUncertain, **columns: Any) -> list[str | None]:
    reasons: list[str | None] = stage.why_drop(pa.table(columns)).to_pylist()
    return reasons


def test_thresholds_by_hand() -> None:
    """σ(ln 4) = 0.8, at the very threshold, is dropped; σ(ln 1.5) = 0.6 is where a tie begins to count."""
    margin = [math.log(4), math.log(3.9), -5.0, None, math.log(1.499), math.log(1.6), -math.log(1.6), 0.0]
    verdict = ["prefer"] * 4 + ["tie"] * 4
    assert why(RmUncertain(), margin=margin, verdict=verdict) == [RIGHT, None, None, NONE, TIED, None, None, TIED]
    assert why(RmUncertain(most=0.5, least_tie=0.2), margin=margin, verdict=verdict)[:2] == [RIGHT, RIGHT]
    assert why(RmUncertain(least_tie=0.2), margin=margin, verdict=verdict)[5] == TIED


def test_originals_stay_whatever_is_known_of_them() -> None:
    found = why(RmUncertain(), margin=[9.0, None, 9.0], augmentation=["original", "original", "causal"])
    assert found == [None, None, RIGHT]
    assert why(RmUncertain(), margin=[9.0, None, 9.0]) == [RIGHT, NONE, RIGHT]


def test_scores_and_chances_serve_too() -> None:
    scores = {"chosen_reward": [3.0, 1.0, 1e9], "rejected_reward": [1.0, 1.0, -1e9]}
    assert why(RmUncertain(score="reward"), **scores) == [RIGHT, None, RIGHT]
    assert RmUncertain(score="reward").columns_read()[:2] == ("chosen_reward", "rejected_reward")
    chances = RmUncertain(column="judge_p", unit="probability")
    assert why(chances, judge_p=[0.8, 0.79, None], verdict=["prefer"] * 3) == [RIGHT, None, NONE]
    assert len(RmUncertain(column="m", score="s", unit="probability").faults()) == 2
    assert RmUncertain().faults() == []


def rows(n: int = 240) -> dict[str, pa.Array]:
    """Originals in which the answer that points to 1 wins; augmented rows of the same prompts that say the reverse."""
    rng = np.random.default_rng(3)
    side = rng.normal(0, 0.02, (2, 2 * n, 4)).astype(np.float32)
    side[0, :n, 0] += 1
    side[1, n:, 0] += 1
    origin = np.r_[np.arange(n), np.arange(n)].astype(np.uint64)
    texts = pa.array([f"answer {k % 7}" for k in range(2 * n)])
    return {
        "prompt": text_messages(pa.array(["q"] * (2 * n))),
        "prompt_hash": pa.array(origin, pa.uint64()),
        "chosen": text_answers(texts),
        "rejected": text_answers(texts),
        "chosen_vector": arrow_vectors(side[0]),
        "rejected_vector": arrow_vectors(side[1]),
        "augmentation": pa.array(["original"] * n + ["causal"] * (n - 2) + ["neutral"] * 2),
        "origin_hash": pa.array(origin),
        "verdict": pa.array(["prefer"] * (2 * n - 2) + ["tie"] * 2),
    }


def test_the_baseline_learns_from_originals_only_and_judges_all(tmp_path: Path) -> None:
    found = BaselineHead().fit(narrow_of(tmp_path, rows()), FakeContext({}))["margin"].to_numpy()
    assert (found[:240] > 0).all(), "held out, they are like the others"
    assert (found[240:] < 0).all(), "the reverse was never learnt, and ties have a margin too"


def test_pitfall_a_row_never_judges_what_was_made_of_it(tmp_path: Path) -> None:
    """The label of one original is reversed: its own margin and those made of it stay to the last bit."""
    columns = rows()
    before = BaselineHead().fit(narrow_of(tmp_path, columns), FakeContext({}))["margin"].to_numpy()
    for name, other in (("chosen", "rejected"), ("chosen_vector", "rejected_vector")):
        turned = {name: columns[name].to_pylist(), other: columns[other].to_pylist()}
        turned[name][0], turned[other][0] = turned[other][0], turned[name][0]
        kinds = {key: columns[key].type for key in turned}
        columns |= {key: pa.array(values, kinds[key]) for key, values in turned.items()}
    after = BaselineHead().fit(narrow_of(tmp_path, columns), FakeContext({}))["margin"].to_numpy()
    assert after[0] == pytest.approx(-before[0]) and after[240] == pytest.approx(before[240])
    assert not np.allclose(after[1:240], before[1:240])


def test_too_few_originals_give_no_margin(tmp_path: Path) -> None:
    columns = rows(8)
    columns["augmentation"] = pa.array(["original"] * 4 + ["causal"] * 12)
    assert BaselineHead().fit(narrow_of(tmp_path, columns), FakeContext({}))["margin"].null_count == 16
    columns["rejected"] = text_answers(pa.array([None] * 16, pa.string()))
    assert BaselineHead(folds=2).fit(narrow_of(tmp_path, columns), FakeContext({}))["margin"].null_count == 16
