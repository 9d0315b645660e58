"""A real judge replayed: 380 answers, three draws of GPT-4 each, words and score as they were written."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rather.core.view import RunView

from ..runs import run_text

DRAWS = 3
SCALE = {"of": "chosen", "low": 1, "high": 5, "reason": True}


@pytest.fixture(scope="module")
def recorded(data: Path) -> list[dict[str, Any]]:
    with gzip.open(data / "feedback" / "rubric_scored_responses.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope="module")
def view(recorded: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> RunView:
    """Each draw is a judge of a panel; the first is asked for itself as well."""
    folder = tmp_path_factory.mktemp("recorded")
    models = {}
    for k in range(DRAWS):
        lines = [
            json.dumps(
                {
                    "contains": [row["instruction"].strip(), f"# Answer\n{row['response'].strip()}\n\nSay in a few"],
                    "reply": f"{row['feedbacks'][k].strip()}\n\nScore: {row['scores'][k]}",
                }
            )
            for row in recorded
        ]
        script = folder / f"draw{k}.jsonl"
        script.write_text("\n".join(lines), encoding="utf-8")
        models[f"draw{k}"] = {"use": "fake_chat", "name": f"draw{k}", "script": str(script)}
    rows = folder / "rows.jsonl"
    rows.write_text(
        "\n".join(json.dumps({"prompt": r["instruction"], "chosen": r["response"], "id": r["id"]}) for r in recorded),
        encoding="utf-8",
    )
    stages = [
        {"read.rows": {"path": str(rows)}},
        {"judge.pointwise": {"model": "draw0", **SCALE}},
        {"judge.panel": {"judges": list(models), **SCALE}},
        {"diagnose.panel": {"of": "chosen"}},
        {"diagnose.panel": {"of": "chosen", "level": "nominal"}, "as": "exact"},
    ]
    return run_text(yaml.safe_dump({"name": "recorded", "seed": 1, "models": models, "stages": stages}), folder / "run")


def test_every_recorded_score_is_read_off_the_judge_s_own_words(view: RunView, recorded: list[dict[str, Any]]) -> None:
    """The feedback talks of scores, numbers and lists; what counts is the last line, in all of 1,140 replies."""
    table = view.frame("judge.panel").table(
        ["chosen_judge_score", "chosen_panel_score", "chosen_panel_score_by_judge", "chosen_panel_score_outcomes"]
    )
    scores = np.array([row["scores"] for row in recorded], float)
    assert table["chosen_panel_score_by_judge"].to_pylist() == scores.tolist()
    assert table["chosen_judge_score"].to_pylist() == scores[:, 0].tolist()
    np.testing.assert_allclose(table["chosen_panel_score"].to_numpy(), scores.mean(axis=1))
    assert {o for row in table["chosen_panel_score_outcomes"].to_pylist() for o in row} == {"ok"}


def test_the_first_draw_is_paid_for_once(view: RunView) -> None:
    """The panel asks three judges; the first judge's questions are those of `judge.pointwise`."""
    assert sum(count.calls for count in view.funnel) == 3 * 380


def test_the_panel_agrees_as_far_as_its_scores_do(view: RunView, recorded: list[dict[str, Any]]) -> None:
    """α = 1 - (n - 1) Σ within-answer disagreement / Σ pooled disagreement, from its definition over all pairs.

    With three values an answer and none missing, observed = mean over answers of the mean difference of its
    six ordered pairs, expected = the mean over all ordered pairs of the 1,140 pooled values.
    """
    scores = np.array([row["scores"] for row in recorded], float)
    pooled = scores.ravel()
    for name, distance in (("diagnose.panel", lambda d: d**2), ("exact", lambda d: (d != 0).astype(float))):
        within = distance(scores[:, :, None] - scores[:, None, :]).sum() / (len(scores) * DRAWS * (DRAWS - 1))
        among = distance(pooled[:, None] - pooled[None, :]).sum() / (len(pooled) * (len(pooled) - 1))
        facts = view.facts[name]
        print(f"Krippendorff α, {facts['level']}: {facts['alpha']:.3f} [{facts['low']:.3f}, {facts['high']:.3f}]")
        assert facts["alpha"] == pytest.approx(1 - within / among, abs=1e-9)
        assert facts["low"] < facts["alpha"] < facts["high"] and facts["answers"] == 380
    same = np.mean([len(set(row)) == 1 for row in scores.tolist()])
    print(f"all three draws equal: {same:.3f}; means {scores.mean(axis=0).round(2)}")
