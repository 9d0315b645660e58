"""Rows drawn from other prompts: never one's own, never twice, each as often as any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rather.core.row import arrow_vectors, text_answers, text_messages
from rather.synth.random_others import RandomOthers, others

from ..judges import FakeContext
from ..narrows import narrow_of


@given(
    groups=st.lists(st.integers(0, 4), min_size=1, max_size=30),
    k=st.integers(1, 6),
    seed=st.integers(0, 2**32),
    unused=st.sets(st.integers(0, 29)),
)
@settings(max_examples=200, deadline=None)
def test_draws_are_others_and_as_many_as_there_are(groups: list[int], k: int, seed: int, unused: set[int]) -> None:
    usable = np.array([i for i in range(len(groups)) if i not in unused], np.int64)
    found = others(np.array(groups), usable, k, np.random.default_rng(seed))
    assert found.shape == (len(groups), k)
    for row, picks in enumerate(found):
        there = [int(p) for p in picks if p >= 0]
        allowed = [int(u) for u in usable if groups[u] != groups[row]]
        assert set(there) <= set(allowed) and len(set(there)) == len(there) == min(k, len(allowed))
        assert list(picks[len(there) :]) == [-1] * (k - len(there))


def test_every_other_row_is_drawn_equally_often() -> None:
    """20,000 rows of three prompts, one of them half of all: a draw of the rare one is either other, 2 to 1."""
    groups = np.repeat([0, 1, 2], [10_000, 5_000, 5_000])
    found = others(groups, np.arange(20_000), 2, np.random.default_rng(1))
    from_second = groups[found[groups == 1]]
    assert (from_second == 0).mean() == pytest.approx(2 / 3, abs=0.02)
    assert np.bincount(found[groups == 0].ravel(), minlength=20_000)[10_000:].mean() == pytest.approx(2)


def columns() -> dict[str, pa.Array]:
    unit = np.array([[1, 0], [0, 1], [0.6, 0.8], [0, 0]], np.float32)
    return {
        "id": pa.array(["a", "b", "c", "d"]),
        "prompt_hash": pa.array([1, 1, 2, 3], pa.uint64()),
        "prompt": text_messages(pa.array(["p", "p", "q", "r"])),
        "chosen": text_answers(pa.array(["A", "B", "C", None])),
        "prompt_vector": arrow_vectors(unit),
    }


def test_the_columns_by_hand(tmp_path: Path) -> None:
    """Rows a and b share a prompt: only c is another; d has no answer, so nobody draws it."""
    found = RandomOthers(k=2).fit(narrow_of(tmp_path, columns()), FakeContext({}))
    told = {name: column.to_pylist() for name, column in found.items()}
    assert told["other_ids"][:2] == [["c"], ["c"]] and sorted(told["other_ids"][2]) == ["a", "b"]
    assert told["other_prompts"][:2] == [["q"], ["q"]] and told["other_prompts"][2] == ["p", "p"]
    assert told["other_answers"][0] == ["C"] and len(told["other_answers"][3]) == 2
    assert told["other_similarity"][0] == [pytest.approx(0.6)]
    assert told["other_similarity"][3] == [None, None], "a prompt without a vector is like nothing"
    kinds = {column.name: column.type for column in RandomOthers().columns_written()}
    assert all(found[name].type == kind for name, kind in kinds.items())


def test_what_is_not_asked_for_is_not_copied(tmp_path: Path) -> None:
    stage = RandomOthers(copies=("answer",))
    assert "prompt" not in stage.columns_read()
    held = {name: column for name, column in columns().items() if name not in ("prompt", "prompt_vector")}
    found = stage.fit(narrow_of(tmp_path, held), FakeContext({}))
    assert found["other_prompts"].null_count == found["other_similarity"].null_count == 4
    assert found["other_answers"].to_pylist()[0] == ["C"]


def test_the_seed_decides(tmp_path: Path) -> None:
    held = {"id": pa.array([str(k) for k in range(50)]), "prompt_hash": pa.array(range(50), pa.uint64())}
    held |= {"chosen": pa.array([str(k) for k in range(50)])}
    draws = [
        RandomOthers(copies=("answer",))
        .fit(narrow_of(tmp_path, held), FakeContext({}, seed=seed))["other_ids"]
        .to_pylist()
        for seed in (1, 1, 2)
    ]
    assert draws[0] == draws[1] != draws[2]
