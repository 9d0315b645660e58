"""Judged steps learnt by a head and made rows. Expected values are worked out by hand."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from rather.cli import api
from rather.core.row import COLUMNS, text_messages
from rather.core.stage import Drop
from rather.filters.judge_steps import ProductiveSteps
from rather.filters.step_head import StepHead
from rather.filters.step_rows import SplitSteps

from ..judges import FakeContext
from ..narrows import narrow_of
from ..runs import run_text

LABELS = pa.list_(pa.bool_())


def trails(folder: Path, known: np.ndarray, turned: int | None = None) -> tuple[Any, np.ndarray]:
    """Trajectories of five steps whose first coordinate decides; `known` [n] have labels, `turned` wrong ones."""
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(len(known) * 5, 8)).astype(np.float32)
    good = vectors[:, 0] > 0
    labels = [good[5 * i : 5 * i + 5].tolist() if known[i] else None for i in range(len(known))]
    if turned is not None:
        labels[turned] = [not label for label in labels[turned] or ()]
    inner = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 8)
    columns = {
        "steps_vector": pa.ListArray.from_arrays(pa.array(np.arange(0, len(vectors) + 1, 5), pa.int32()), inner),
        "steps_productive": pa.array(labels, LABELS),
        "prompt_hash": list(range(len(known))),
    }
    return narrow_of(folder, columns), good


def chances_of(narrow: Any) -> list[list[float | None] | None]:
    found: list[list[float | None] | None] = StepHead().fit(narrow, FakeContext({}))["steps_p"].to_pylist()
    return found


def test_the_head_judges_what_nobody_labelled(tmp_path: Path) -> None:
    known = np.arange(300) % 3 == 0
    narrow, good = trails(tmp_path, known)
    chances = np.array(chances_of(narrow)).ravel()
    assert ((chances > 0) & (chances < 1)).all()
    right, unseen = (chances > 0.5) == good, np.repeat(~known, 5)
    assert right[unseen].mean() > 0.93 and right[~unseen].mean() > 0.9


def test_a_label_does_not_reach_its_own_task(tmp_path: Path) -> None:
    """Every label of one task is turned round: the chances of its own steps must not move, others' do."""
    straight, turned = (chances_of(trails(tmp_path, np.ones(60, bool), k)[0]) for k in (None, 7))
    assert np.allclose(straight[7], turned[7], atol=1e-9)
    assert sum(not np.allclose(straight[k], turned[k], atol=1e-9) for k in range(60)) > 30


def test_no_head_without_both_kinds_of_label(tmp_path: Path) -> None:
    narrow, _ = trails(tmp_path, np.zeros(10, bool))
    assert chances_of(narrow) == [[None] * 5] * 10


def test_rows_without_steps_and_labels_that_do_not_fit(tmp_path: Path) -> None:
    """The third row has two labels for one step, so that none of them is learnt from; the fourth has no steps."""
    one = [[0.6, 0.8]]
    columns = {
        "steps_vector": pa.array([one * 2, one * 2, one, None], pa.list_(pa.list_(pa.float32(), 2))),
        "steps_productive": pa.array([[True, False], [True, None], [True, True], None], LABELS),
        "prompt_vector": pa.array([[1.0, 0.0]] * 4, pa.list_(pa.float32(), 2)),
        "prompt_hash": [1, 2, 3, 4],
    }
    stage = StepHead(folds=2)
    sign, known = stage._labels(narrow_of(tmp_path, columns), np.array([2, 2, 1, 0]))
    assert known.tolist() == [True, True, True, False, False] and sign[known].tolist() == [1, -1, 1]
    found = stage.fit(narrow_of(tmp_path, columns), FakeContext({}))["steps_p"].to_pylist()
    assert [row if row is None else len(row) for row in found] == [2, 2, 1, None]


def rows_of(stage: SplitSteps, steps: list[str] | None, **columns: Any) -> Any:
    made = None if steps is None else [{"text": text, "label": None} for text in steps]
    table = pa.table({"prompt": text_messages(pa.array(["find it"])), "steps": pa.array([made], COLUMNS["steps"])})
    return asyncio.run(stage.map({**table.to_pylist()[0], **columns}, FakeContext({})))


def test_a_row_a_step_with_its_history() -> None:
    labels, chances = [True, None, False], [0.9, 0.2, 0.7]
    made = rows_of(SplitSteps(history=1), ["a", "b", "c"], steps_productive=labels, steps_p=chances)
    assert [row["prompt"][0]["content"] for row in made] == ["find it", "find it\n\na", "find it\n\nb"]
    assert [(row["chosen"]["text"], row["step"], row["steps_share"]) for row in made] == [
        ("a", 1, 1.0), ("b", 2, 0.2), ("c", 3, 0.0),
    ]  # fmt: skip
    made = rows_of(SplitSteps(labels=False), ["a", "b", "c"], steps_productive=labels, steps_p=chances)
    assert [row["steps_share"] for row in made] == chances
    assert [row["steps_share"] for row in rows_of(SplitSteps(), ["a"], steps_productive=[True, False])] == [None]
    assert rows_of(SplitSteps(), []) == Drop("no steps") == rows_of(SplitSteps(), None)


def test_unproductive_steps_become_rejected() -> None:
    """a by its label and b by its chance; d's label counts for more than its chance."""
    labels, chances = [False, None, None, True], [0.9, 0.4, None, 0.1]
    made = rows_of(SplitSteps(negatives=True), list("abcd"), steps_productive=labels, steps_p=chances)
    assert [row["rejected"] and row["rejected"]["text"] for row in made] == ["a", "b", None, None]
    assert [row["chosen"] and row["chosen"]["text"] for row in made] == [None, None, "c", "d"]


def test_the_gate_reads_single_steps() -> None:
    made = rows_of(
        SplitSteps(), list("abcd"), steps_productive=[True, False, None, None], steps_p=[0.1, 0.9, 0.6, None]
    )
    batch = pa.table({"steps_share": [row["steps_share"] for row in made]})
    found = ProductiveSteps().why_drop(batch).to_pylist()
    assert found == [None, "too few productive steps", None, "steps not judged"]


def test_the_recipe_keeps_productive_steps_and_pays_once(tmp_path: Path) -> None:
    """Forty trajectories of 25 steps take two windows each; a refused window leaves its row to the head."""
    path, verbs = tmp_path / "trajectories.parquet", ("open", "take", "look at", "drop", "walk to")
    steps = [[{"text": f"{verbs[(k + j) % 5]} box {j}", "label": None} for j in range(25)] for k in range(40)]
    prompts = [f"Put the ball {k} away." for k in range(40)]
    pq.write_table(pa.table({"prompt": prompts, "steps": pa.array(steps, COLUMNS["steps"])}), path)
    recipe = yaml.safe_load(api.shipped_recipes()["lfm"].read_text(encoding="utf-8"))
    recipe["models"] = {"judge": {"use": "fake_chat", "refused": 0.2}}
    recipe["stages"][0]["read.rows"]["path"] = str(path)
    text = yaml.safe_dump(recipe, sort_keys=False)
    view = run_text(text, tmp_path / "first")
    counts = {count.stage: count for count in view.funnel}
    assert sum(count.calls for count in view.funnel) == 80 and counts["split.steps"].rows_out == 1000
    judged = view.frame("score.step_head").table(["steps_outcome", "steps_productive", "steps_p"]).to_pylist()
    refused = [row for row in judged if row["steps_outcome"] == "refused"]
    assert refused and all(row["steps_productive"] is None and None not in row["steps_p"] for row in refused)
    assert set(counts["filter.productive_steps"].dropped) == {"too few productive steps"}
    written = pq.read_table(tmp_path / "first" / "data" / "data")
    assert written.num_rows == counts["filter.productive_steps"].rows_out > 100
    assert {"prompt", "completion"} <= set(written.column_names)
    again = run_text(text, tmp_path / "second")
    assert sum(count.calls for count in again.funnel) == 0
    assert pq.read_table(tmp_path / "second" / "data" / "data").equals(written)
