"""The reward head: trained on a set, kept in a folder, asked again as a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rather.core.errors import InputError
from rather.core.registry import models
from rather.core.row import answer_text, last_user_text, text_answers, text_messages
from rather.core.view import RunView
from rather.models.heads import BradleyTerryHead
from rather.models.pair_table import (
    both_ways,
    comparable,
    label_weights,
    pair_deltas,
    pair_views,
    vectors_of,
)
from rather.models.reward import RewardHeadSpec

from .pair_rows import GOOD, planted, run_recipe

RECIPE = """
name: t
seed: 3
stages:
  - read.planted: {{path: {path}}}
  - embed.text: {{{embed}}}
  - train.reward_head: {{{options}}}
"""


def run(folder: Path, rows: int = 600, noise: float = 0.0, embed: str = "", options: str = "") -> RunView:
    path = planted(folder / "pairs.parquet", rows, noise)
    return run_recipe(RECIPE.format(path=path, embed=embed, options=options), folder / "run")


def facts_of(view: RunView) -> dict[str, Any]:
    return view.facts["train.reward_head"]


@pytest.mark.parametrize("embed", ["", "of: [chosen, rejected]"])
def test_scores_of_the_loaded_model_reproduce_the_margins(tmp_path: Path, embed: str) -> None:
    view = run(tmp_path, embed=embed)
    folder = Path(facts_of(view)["path"])
    assert folder == tmp_path / "run" / "reward_head"
    table = view.frame("embed.text").table()
    margins = BradleyTerryHead.load(folder).margin(pair_deltas(table))
    reward = models()["reward_head"](path=str(folder)).load()
    asked = last_user_text(table["prompt"]).to_pylist()
    chosen, rejected = (reward.score(asked, answer_text(table[name]).to_pylist()) for name in ("chosen", "rejected"))
    assert chosen.dtype == np.float64
    assert chosen - rejected == pytest.approx(margins, abs=1e-4)
    assert margins.std() > 0.2
    alone = reward.score(asked[7:8], answer_text(table["chosen"]).to_pylist()[7:8])
    assert alone[0] == pytest.approx(chosen[7], abs=1e-9)


def test_a_new_answer_is_judged_by_what_was_taught(tmp_path: Path) -> None:
    reward = RewardHeadSpec(path=facts_of(run(tmp_path))["path"]).load()
    asked = "Describe the harbour of number 3."
    good, bad = reward.score(
        [asked, asked], [f"A {GOOD[0]} {GOOD[3]} and {GOOD[8]} reply.", "A rude vague and shaky reply."]
    )
    assert good > bad


def test_accuracy_is_of_unseen_prompts_and_falls_with_noise(tmp_path: Path) -> None:
    for name in ("clean", "noisy", "random"):
        (tmp_path / name).mkdir()
    clean = facts_of(run(tmp_path / "clean"))
    noisy = facts_of(run(tmp_path / "noisy", noise=0.25))
    random = facts_of(run(tmp_path / "random", noise=0.5))
    assert clean["accuracy"] > 0.95 > 0.8 > noisy["accuracy"] > 0.6
    assert random["low"] < 0.5 < random["high"] + 0.02
    assert all(f["low"] <= f["accuracy"] <= f["high"] for f in (clean, noisy, random))
    assert clean["rows"] == 600
    json.dumps(clean, allow_nan=False)


def test_a_sample_is_fitted_on_when_there_are_more(tmp_path: Path) -> None:
    facts = facts_of(run(tmp_path, rows=400, options="most: 150"))
    assert (facts["rows"], facts["of"]) == (150, 400)


def test_vectors_of_another_encoder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="was not made by the encoder static"):
        run(tmp_path, rows=60, embed="model: fake_text")


def test_too_few_prompts_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be split into 20 folds"):
        run(tmp_path, rows=10, options="folds: 20")


def test_the_key_of_the_model_follows_its_weights(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first = Path(facts_of(run(tmp_path / "a", rows=60))["path"])
    second = Path(facts_of(run(tmp_path / "b", rows=80))["path"])
    before = RewardHeadSpec(path=str(first)).identity()
    assert before != RewardHeadSpec(path=str(second)).identity()
    first.rename(tmp_path / "moved")
    assert RewardHeadSpec(path=str(tmp_path / "moved")).identity() == before


def test_a_folder_without_a_head_or_of_other_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no reward head here"):
        RewardHeadSpec(path=str(tmp_path)).load()
    folder = Path(facts_of(run(tmp_path, rows=60))["path"])
    config = folder / "config.json"
    about = json.loads(config.read_text())
    config.write_text(json.dumps(about | {"surface_features": ["length"]}))
    with pytest.raises(InputError, match="other features"):
        RewardHeadSpec(path=str(folder)).load()
    with pytest.raises(InputError, match="2 prompts for 1 answers"):
        config.write_text(json.dumps(about))
        RewardHeadSpec(path=str(folder)).load().score(["a", "b"], ["c"])


def table_of(n: int = 6, **columns: Any) -> pa.Table:
    rng = np.random.default_rng(0)
    vectors = {
        f"{name}_vector": pa.FixedSizeListArray.from_arrays(pa.array(rng.normal(size=n * 4).astype(np.float32)), 4)
        for name in ("prompt", "chosen", "rejected")
    }
    return pa.table(
        {
            "prompt": text_messages(pa.array([f"ask {i}" for i in range(n)])),
            "chosen": text_answers(pa.array([f"yes {i}." for i in range(n)])),
            "rejected": text_answers(pa.array([f"no, {i * 3} not!" for i in range(n)])),
            **vectors,
            **columns,
        }
    )


def test_swapping_answers_negates_every_feature() -> None:
    table = table_of()
    swapped = table.rename_columns(
        {
            "chosen": "rejected",
            "rejected": "chosen",
            "chosen_vector": "rejected_vector",
            "rejected_vector": "chosen_vector",
        }
    )
    assert np.array_equal(pair_deltas(table), -pair_deltas(swapped))
    meaning, surface = pair_views(table)
    assert meaning.shape == (6, 8)
    assert np.array_equal(pair_deltas(table), np.concatenate([meaning, surface], axis=1))
    assert pair_views(table.drop(["prompt_vector"]))[0].shape == (6, 4)


def test_null_vectors_are_zeros_in_their_own_row_even_in_a_slice() -> None:
    made = pa.array([[1.0, 2.0], None, [5.0, 6.0], [7.0, 8.0]], pa.list_(pa.float32(), 2))
    table = pa.table({"v": made})
    assert vectors_of(table, "v").tolist() == [[1, 2], [0, 0], [5, 6], [7, 8]]
    assert vectors_of(table.slice(1, 2), "v").tolist() == [[0, 0], [5, 6]]
    with pytest.raises(InputError, match="no column w"):
        vectors_of(table, "w")


def test_ties_and_absent_answers_are_not_compared() -> None:
    table = table_of(3, verdict=pa.array(["prefer", "tie", None]))
    assert comparable(table).tolist() == [True, False, True]
    absent = table.set_column(1, "chosen", text_answers(pa.array(["a", "b", None], pa.string())))
    assert comparable(absent).tolist() == [True, False, False]


def test_soft_labels_stand_both_ways() -> None:
    table = table_of(3, weight=pa.array([2.0, None, 1.0]), p_chosen=pa.array([0.75, 1.0, None]))
    weight, counter = label_weights(table)
    assert weight.tolist() == [1.5, 1.0, 1.0]
    assert counter.tolist() == [0.5, 0.0, 0.0]
    delta = np.arange(6, dtype=np.float32).reshape(3, 2)
    both, importance, owner = both_ways(delta, weight, counter)
    assert both.tolist() == [[0, 1], [2, 3], [4, 5], [0, -1]]
    assert importance.tolist() == [1.5, 1.0, 1.0, 0.5]
    assert owner.tolist() == [0, 1, 2, 0]
    with pytest.raises(InputError, match="p_chosen"):
        label_weights(table_of(2, p_chosen=pa.array([0.5, 1.5])))
    with pytest.raises(InputError, match="weight"):
        label_weights(table_of(2, weight=pa.array([1.0, -1.0])))
