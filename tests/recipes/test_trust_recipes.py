"""Recipes that measure a judge, or teach a rater by one, run end to end on a fake judge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rather.cli import api
from rather.core.errors import RunError
from rather.core.view import RunView
from rather.formats.report import build_report

from .faking import recorded, shipped


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty pairs of the quickstart's answers, the right one against another question's, in two subsets."""
    source = (api.RECIPES / "quickstart.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in source.splitlines()]
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for k in range(60):
            pair = {"chosen": lines[k]["answer"], "rejected": lines[k + 90]["answer"], "subset": "ab"[k % 2]}
            print(json.dumps({"prompt": lines[k]["prompt"]} | pair), file=file)
    return path


def faked(name: str, rows: Path, out: Path, **fake: Any) -> RunView:
    """A shipped recipe on these rows, its judge replaced by a fake one."""
    return shipped(name, rows, out, lambda _: {"use": "fake_chat", "name": "coin", **fake})


def test_llmbar_ends_in_a_diagnosis_by_subset(tmp_path: Path, rows: Path) -> None:
    view = faked("llmbar", rows, tmp_path / "run")
    facts = view.facts["diagnose.judge"]
    assert facts["judged"] == 60 and {part["group"] for part in facts["groups"]} == {"a", "b"}
    names = {line["measure"] for line in facts["measures"]}
    assert {"first picked", "agrees with people", "floor: the longer wins", "agrees with people: a"} <= names
    assert sum(count.calls for count in view.funnel) == 120
    page = build_report(view)
    assert "orders contradict (flips)" in page and "What diagnose.judge measured" in page


def test_llmbar_refuses_a_judge_of_one_place(tmp_path: Path, rows: Path) -> None:
    with pytest.raises(RunError, match="shown first in 100%"):
        faked("llmbar", rows, tmp_path / "run", mode="choice", choices=["A"])


def preferring_long(rows: Path) -> str:
    """Recorded replies of a judge that prefers the longer answer, whatever its place."""
    lines = []
    for pair in map(json.loads, rows.read_text(encoding="utf-8").splitlines()):
        long, short = sorted((pair["chosen"], pair["rejected"]), key=len, reverse=True)
        for first, said in ((long, "A"), (short, "B")):
            lines.append((f"# Answer A\n{first}\n\n# Answer B", said))
    return recorded(rows.parent / "script.jsonl", lines)


def test_qurating_prices_every_answer_as_its_judge_would(tmp_path: Path, rows: Path) -> None:
    view = faked("qurating", rows, tmp_path / "run", script=preferring_long(rows))
    rated = view.frame("score.pairwise_to_scalar").table(["chosen_rating", "rejected_rating", "judge_p"])
    assert rated.num_rows == 60 and not rated["chosen_rating"].null_count
    assert set(rated["judge_p"].to_pylist()) == {0.0, 1.0}
    written = pq.read_table(tmp_path / "run" / "data" / "data")
    kept = written["chosen_rating"].to_numpy() - written["rejected_rating"].to_numpy()
    assert 0 < written.num_rows < 60 and kept.min() >= 0
