"""The best rows of a set or group, and prompts set aside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from rather.core.byte_hashing import mix
from rather.filters.heldout import Heldout
from rather.filters.top import Top

from ..narrows import narrow_of

HELD = "held out for evidence"


def test_top_of_the_set(tmp_path: Path) -> None:
    narrow = narrow_of(tmp_path, {"margin": [1.0, None, 3.0, 2.0, 3.0, 2.0]})
    beyond = "beyond the top 3"
    assert Top(by="margin", keep=3).select(narrow).to_pylist() == [beyond, "no margin", None, None, None, beyond]
    lowest = Top(by="margin", keep=2, better="lower").select(narrow).to_pylist()
    assert [reason is None for reason in lowest] == [True, False, False, True, False, False]


def test_top_of_groups(tmp_path: Path) -> None:
    narrow = narrow_of(tmp_path, {"q": [1, 5, 5, 9, 2], "topic": ["x", "y", "y", None, "x"]})
    beyond = "beyond the top 1 of its topic"
    assert Top(by="q", keep=1, per="topic").select(narrow).to_pylist() == [beyond, None, beyond, None, None]
    assert Top(by="q", keep=1, per="topic").columns_read() == ("q", "topic")
    assert Top(by="q", keep=0).select(narrow).null_count == 0


def held(folder: Path, prompts: np.ndarray, stage: Heldout, **more: pa.Array) -> np.ndarray:
    reasons = stage.select(narrow_of(folder, {"prompt_hash": pa.array(prompts), **more}))
    assert set(reasons.to_pylist()) <= {None, HELD}
    return np.asarray(reasons.is_valid())


def test_prompts_go_whole_in_their_share_whatever_else_is_there(tmp_path: Path) -> None:
    """20,000 prompts at .1: the standard deviation of the share is .0021, four of them allowed."""
    prompts = np.repeat(mix(np.arange(20_000, dtype=np.uint64)), 2)
    gone = held(tmp_path, prompts, Heldout(fraction=0.1))
    assert (gone[::2] == gone[1::2]).all()
    assert abs(gone.mean() - 0.1) < 4 * 0.0021
    assert (held(tmp_path, prompts[5_000:5_100], Heldout(fraction=0.1)) == gone[5_000:5_100]).all()
    other = held(tmp_path, prompts, Heldout(fraction=0.1, seed=1))
    assert 0.005 < (gone & other).mean() < 0.015
    assert not held(tmp_path, prompts, Heldout(fraction=0)).any()


def test_every_group_gives_its_share(tmp_path: Path) -> None:
    """Of 30, 10 and 4 prompts a half is 15, 5 and 2; each prompt stands twice."""
    group = np.repeat(["a", "b", "c"], [30, 10, 4])
    prompts = mix(np.arange(44, dtype=np.uint64))
    source = pa.array([*group, *group])
    gone = held(tmp_path, np.concatenate([prompts, prompts]), Heldout(fraction=0.5, by="source"), source=source)
    assert (gone[:44] == gone[44:]).all()
    assert [int(gone[:44][group == name].sum()) for name in "abc"] == [15, 5, 2]


def test_a_prompt_in_two_groups_goes_whole(tmp_path: Path) -> None:
    prompts = np.tile(mix(np.arange(10, dtype=np.uint64)), 2)
    source = pa.array(["a"] * 10 + ["b"] * 10)
    gone = held(tmp_path, prompts, Heldout(fraction=0.3, by="source"), source=source)
    assert (gone[:10] == gone[10:]).all()
    assert gone[:10].sum() == 3
