"""Scores of local models and the reference gap, on fakes; every kept set is worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from rather.core.errors import RecipeError
from rather.core.row import text_answers, text_messages
from rather.filters.reference_gap import ReferenceGap, correlation
from rather.filters.score_local import LogProb, RewardModelScore, talks_in
from rather.models.fake_scorers import FakeCausalLMSpec, FakeRewardSpec

from ..judges import FakeContext, candidates, pairs
from ..narrows import narrow_of
from ..runs import run_text

MODELS = {"reward_model": FakeRewardSpec(most=6).load(), "causal_lm": FakeCausalLMSpec(most=6).load()}


def test_rewards_of_pairs_stand_beside_their_answers() -> None:
    batch = pairs(("why", "so it is", "no"), ("why", None, "so it is"), ("why", "a b c d e f", "no"))
    found = RewardModelScore().score(batch, FakeContext(MODELS))
    talk = [[{"role": "user", "content": "why"}]]
    said = [[{"role": "assistant", "content": "so it is"}]]
    (expected,) = MODELS["reward_model"].rewards(talk, said)
    assert found["chosen_reward"].to_pylist() == [expected, None, None]
    assert found["rejected_reward"][1].as_py() == expected
    assert found["chosen_reward_outcome"].to_pylist() == ["ok", None, "truncated"]
    assert found["rejected_reward_outcome"].to_pylist() == ["ok"] * 3


def test_rewards_of_candidates_keep_their_places() -> None:
    batch = candidates(("why", ["so it is", None, "no", "more"]), ("why", None), ("why", []))
    stage = RewardModelScore(of="candidates", column="rm", most=3)
    found = stage.score(batch, FakeContext(MODELS))
    first = found["rm"].to_pylist()
    assert [value is None for value in first[0]] == [False, True, False, True] and first[1:] == [None, []]
    assert found["rm_outcome"].to_pylist() == [["ok", None, "ok", None], None, []]


def test_log_probabilities_are_summed_and_taken_by_token() -> None:
    found = LogProb(of="chosen").score(pairs(("why", "so it is", "no"), ("why", "", "no")), FakeContext(MODELS))
    total = found["chosen_ref_logp"][0].as_py()
    assert found["chosen_ref_logp_mean"][0].as_py() == total / 3 and total < 0
    assert found["chosen_ref_logp_tokens"].to_pylist() == [3, 0]
    assert found["chosen_ref_logp"][1].as_py() == 0 and found["chosen_ref_logp_mean"][1].as_py() is None


def test_a_conversation_keeps_its_turns_and_system_message() -> None:
    prompt = [{"role": "system", "content": "short"}, {"role": "user", "content": "why"}]
    turns = [
        {"role": "assistant", "content": "so"},
        {"role": "user", "content": "and"},
        {"role": "assistant", "content": None},
    ]
    several, plain = {"text": "so", "turns": turns}, {"text": "no"}
    empty = text_messages(pa.array(["x"]))
    answer = text_answers(pa.array(["x"])).type
    batch = pa.table(
        {
            "prompt": pa.array([prompt, None], empty.type),
            "chosen": pa.array([several, plain], answer),
            "rejected": pa.array([plain, plain], answer),
            "candidates": pa.array([None, [plain, several]], pa.list_(answer)),
        }
    )
    answers, asked, said = talks_in(batch, "pair", 9)
    assert [(a.row, a.place) for a in answers] == [(0, 0), (0, 1)] and asked == [prompt, prompt]
    assert [m["content"] for m in said[0]] == ["so", "and", ""] and said[1] == [{"role": "assistant", "content": "no"}]
    swapped = batch.set_column(0, "prompt", pa.array([None, prompt], empty.type))
    answers, _, said = talks_in(swapped, "candidates", 9)
    assert [(a.row, a.place, len(turns)) for a, turns in zip(answers, said, strict=True)] == [(1, 0, 1), (1, 1, 3)]


def reasons(folder: Path, gaps: list[float | None], more: dict[str, Any] | None = None, **options: Any) -> list[int]:
    """Which rows stay; a gap of g is written as chosen g - 1 and rejected -1."""
    chosen = pa.array([None if g is None else g - 1 for g in gaps], pa.float64())
    columns = {"chosen_ref_logp_mean": chosen, "rejected_ref_logp_mean": [-1.0] * len(gaps), **(more or {})}
    found = ReferenceGap(**options).select(narrow_of(folder, columns)).to_pylist()
    assert {why for why in found if why} <= {
        "no reference gap", "gap outside the band", f"gap not among the {options.get('mode', 'large')}"
    }  # fmt: skip
    return [i for i, why in enumerate(found) if why is None]


@pytest.mark.parametrize(
    ("mode", "kept"), [("large", [1, 4]), ("small", [0, 3]), ("positive", [1, 2]), ("negative", [0, 4])]
)
def test_modes_keep_their_end_of_the_gaps(tmp_path: Path, mode: str, kept: list[int]) -> None:
    """Five pairs have a gap, so that .4 are 2 of 0, 3, 1, .5 and -2 (and null)."""
    assert reasons(tmp_path, [0.0, 3.0, 1.0, 0.5, -2.0, None], mode=mode) == kept


def test_a_share_of_each_group_and_ties_in_source_order(tmp_path: Path) -> None:
    """Half of a's 3 is 1.5, so 2 stay; of b's 2 one; equal gaps stand in source order."""
    source = {"source": ["a", "b", "a", "b", "a"]}
    assert reasons(tmp_path, [1.0, 9.0, -1.0, 9.0, 1.0], source, keep=0.5, within="source") == [0, 1, 2]


def test_a_band_is_in_standard_deviations(tmp_path: Path) -> None:
    """Mean 0 and variance 8/4 = 2: z is ±√2 at the ends and 0 between."""
    assert reasons(tmp_path, [2.0, 0.0, 0.0, -2.0], mode="band", low=-1.0, high=1.0) == [1, 2]
    assert reasons(tmp_path, [2.0, 0.0, 0.0, -2.0], mode="band", low=1.4) == [0]
    assert reasons(tmp_path, [2.0, 2.0], mode="band", high=-0.1) == [], "nothing varies: z is 0"
    assert reasons(tmp_path, [None, None]) == []


def test_what_cannot_be_meant_is_said() -> None:
    assert "length_matters" in ReferenceGap(normalise="sum").faults()[0]
    assert ReferenceGap(normalise="sum", length_matters=True).faults() == []
    assert ReferenceGap(mode="band").faults() and ReferenceGap(low=0.0).faults()
    assert "above high" in ReferenceGap(mode="band", low=1, high=0).faults()[0]
    assert ReferenceGap(normalise="sum").columns_read() == ("chosen_ref_logp", "rejected_ref_logp")


def test_correlation_by_hand() -> None:
    """x - mean = (-1, 0, 1), y - mean = (-1, 2, -1): 0 over √2·√6; against (1, 2, 4): 3 / √(2 · 14/3)."""
    x = np.array([1.0, 2.0, 3.0])
    assert correlation(x, np.array([0.0, 3.0, 0.0])) == 0
    assert correlation(x, np.array([1.0, 2.0, 4.0])) == pytest.approx(3 / math.sqrt(2 * 14 / 3))
    assert correlation(x, np.ones(3)) is None and correlation(x[:1], x[:1]) is None


def recipe(rows: Path, **select: Any) -> str:
    stages = [
        {"demo.rows": {"file": str(rows)}},
        {"score.logprob": {"model": "fake_causal_lm"}},
        {"filter.reference_gap": select},
        {"diagnose.reference_gap": {"normalise": select.get("normalise", "mean")}},
    ]
    return yaml.safe_dump({"name": "gap", "seed": 3, "stages": stages})


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Sixty pairs whose chosen answers have 1 to 8 words more than the rejected ones have."""
    texts = [" ".join(f"w{k * j}" for j in range(2, 4 + k % 8)) for k in range(60)]
    table = pa.table(
        {
            "prompt": text_messages(pa.array([f"question {k}" for k in range(60)])),
            "chosen": text_answers(pa.array(texts)),
            "rejected": text_answers(pa.array([f"no {k}" for k in range(60)])),
        }
    )
    path = tmp_path / "rows.parquet"
    pq.write_table(table, path)
    return path


def test_sums_follow_length_and_the_diagnosis_says_so(rows: Path, tmp_path: Path) -> None:
    view = run_text(recipe(rows, normalise="sum", length_matters=True, mode="negative"), tmp_path / "sum")
    facts = view.facts["diagnose.reference_gap"]
    assert facts["before"]["pairs"] == 60 and facts["after"]["pairs"] == len(view.frame("filter.reference_gap")) == 24
    assert facts["before"]["length_correlation"] < -0.6
    fair = run_text(recipe(rows), tmp_path / "mean").facts["diagnose.reference_gap"]
    assert abs(fair["before"]["length_correlation"]) < 0.5 and fair["after"]["pairs"] == 24
    with pytest.raises(RecipeError, match="length_matters"):
        run_text(recipe(rows, normalise="sum"), tmp_path / "silent")


@pytest.mark.parametrize("stage", [{"score.reward_model": {"model": "fake_reward", "of": "pair"}},
                                   {"score.logprob": {"model": "fake_causal_lm"}}])  # fmt: skip
def test_the_same_numbers_whatever_the_batch(rows: Path, tmp_path: Path, stage: dict[str, Any]) -> None:
    text = yaml.safe_dump({"name": "b", "stages": [{"demo.rows": {"file": str(rows)}}, stage]})
    (name,) = stage
    tables = [run_text(text, tmp_path / str(b), batch=b).frame(name).table() for b in (1, 7, 100)]
    assert tables[0].equals(tables[1]) and tables[0].equals(tables[2])
    assert tables[0].num_rows == 60
