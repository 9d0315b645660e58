"""Random negatives: collisions left out and counted; the risk of them by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from rather.core.errors import InputError
from rather.core.row import arrow_vectors
from rather.core.stage import Drop
from rather.filters.diagnose_false_negative_risk import (
    DiagnoseFalseNegativeRisk,
    at_least_one,
    by_row,
    class_shares,
    collisions,
    safe_k,
)
from rather.synth.random_negatives import RandomNegatives

from ..frames import SinkContext, TableFrame
from .scripted import ran, row_of

ROW = row_of(
    "q",
    chosen="right",
    other_ids=["a", "b", "c", "d"],
    other_answers=["one", "two", "right ", "four"],
    other_similarity=[0.1, 0.61, 0.0, None],
)


def test_rows_in_full() -> None:
    found, model = ran(RandomNegatives(), ROW, [])

    def row(number: str, text: str, cosine: float | None) -> dict[str, object]:
        params = json.dumps({"k": 4, "other": number, "similarity": cosine}, separators=(",", ":"))
        origin = {
            "stage": "synth.random_negatives", "method": "random other prompt", "params": params, "model": None,
            "seed": 7,
        }  # fmt: skip
        return {
            "rejected": {"text": text, "turns": None, "image": None, "model": None, "made_by": origin},
            "verdict": "prefer", "negative_id": number, "negative_similarity": cosine, "negatives_left_out": 2,
        }  # fmt: skip

    assert found == [row("a", "one", 0.1), row("d", "four", None)], "too like a prompt; the chosen answer itself"
    assert model.asked == [] and RandomNegatives().calls_a_row() == 0


def test_what_collides_is_dropped() -> None:
    assert [r["negative_id"] for r in ran(RandomNegatives(unknown=False), ROW, [])[0]] == ["a"]
    assert [r["negative_id"] for r in ran(RandomNegatives(most=1), ROW, [])[0]] == ["a", "b", "d"]
    assert ran(RandomNegatives(most=-1, unknown=False), ROW, [])[0] == Drop("all negatives collide", {"negatives": 4})
    assert ran(RandomNegatives(), ROW | {"other_answers": None}, [])[0] == Drop("no other answers")
    assert ran(RandomNegatives(), ROW | {"chosen": None}, [])[0] == Drop("no chosen answer")
    assert len(ran(RandomNegatives(), ROW | {"other_similarity": None}, [])[0]) == 3


SIMILARITIES = pa.array([[0.9, 0.1], [0.2, 0.3], None, [0.7, None], []], pa.list_(pa.float64()))


def test_the_collision_rate_by_hand() -> None:
    """Above 0.6: one of two, none of two, one of one (the other is not known): mean 1/2, two rows of three."""
    each, any_of, k = by_row(collisions(SIMILARITIES, 0.6))
    assert each.value == pytest.approx(0.5) and any_of.value == pytest.approx(2 / 3) and (each.n, k) == (3, 2)


def test_equal_classes_collide_one_time_in_n() -> None:
    """Four tight groups of 25: of the other 99, 24 are of one's own; 1 - (3/4)³ = 37/64 for three draws at 1/4."""
    rng = np.random.default_rng(0)
    vectors = np.repeat(np.eye(4, 8), 25, axis=0) + rng.normal(0, 0.02, (100, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    classes, chance = class_shares(vectors.astype(np.float32), 30, 0.6)
    assert (classes, chance) == (4, pytest.approx(24 / 99))
    assert at_least_one(0.25, 3) == pytest.approx(37 / 64)


def test_the_safe_k_by_hand() -> None:
    """1 - (1 - p)^k ≤ 0.05 with p = 1/100: 0.99⁵ = 0.95099 and 0.99⁶ < 0.95."""
    assert safe_k(0.01, 0.05) == 5 and safe_k(0.5, 0.75) == 2 and safe_k(0.9, 0.05) == 0
    assert safe_k(0.0, 0.05) is None and safe_k(float("nan"), 0.05) is None and safe_k(1.0, 0.05) == 0


def test_the_facts(tmp_path: Path) -> None:
    unit = np.eye(5, 6, dtype=np.float32)
    rows = pa.table(
        {
            "other_similarity": SIMILARITIES,
            "prompt_hash": pa.array(range(5), pa.uint64()),
            "prompt_vector": arrow_vectors(unit),
        }
    )
    facts = DiagnoseFalseNegativeRisk(neighbours=2).sink(TableFrame(rows), SinkContext.at(tmp_path))
    told = {line["measure"]: line["value"] for line in facts["measures"]}
    assert told["a draw collides"] == 0.5 and told["one of 2 draws collides"] == 0.6667
    assert told["latent classes of prompts"] == 5 and told["a draw collides, by classes"] == 0.0
    assert (facts["k"], facts["k_safe"], facts["left_out"]) == (2, 0, 2) and "2 is too large" in facts["warning"]
    bare = DiagnoseFalseNegativeRisk().sink(TableFrame(rows.drop_columns("prompt_vector")), SinkContext.at(tmp_path))
    assert len(bare["measures"]) == 2
    nothing = pa.table(
        {"other_similarity": pa.array([None, []], SIMILARITIES.type), "prompt_hash": rows["prompt_hash"][:2]}
    )
    with pytest.raises(InputError, match="no row has a draw"):
        DiagnoseFalseNegativeRisk().sink(TableFrame(nothing), SinkContext.at(tmp_path))


def test_on_real_prompts_few_random_draws_collide(data: Path, tmp_path: Path) -> None:
    from rather.models.encoders_text import StaticText
    from rather.synth.random_others import cosines, others

    lines = (data / "preferences" / "truthfulqa.jsonl").read_text(encoding="utf-8").splitlines()
    prompts = [json.loads(line)["prompt"] for line in lines]
    vectors = arrow_vectors(StaticText().encode(prompts))
    n = len(prompts)
    drawn = others(np.arange(n), np.arange(n), 4, np.random.default_rng(0))
    found = cosines(vectors, np.repeat(np.arange(n), 4), drawn.ravel())
    column = pa.ListArray.from_arrays(pa.array(np.arange(0, 4 * n + 1, 4, dtype=np.int32)), found)
    rows = pa.table(
        {"other_similarity": column, "prompt_hash": pa.array(range(n), pa.uint64()), "prompt_vector": vectors}
    )
    facts = DiagnoseFalseNegativeRisk().sink(TableFrame(rows), SinkContext.at(tmp_path))
    told = {line["measure"]: line["value"] for line in facts["measures"]}
    assert facts["k_safe"] >= 4 and facts["warning"] == ""
    assert 0 <= told["a draw collides"] < 0.03 and 30 < told["latent classes of prompts"] < n
    assert 0 < told["a draw collides, by classes"] < 0.01
