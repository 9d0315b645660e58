"""Eight methods against a real server whose model has learnt nothing: every reply ends as a typed outcome.

Random weights give what small models give in plenty: text off every topic, cut at its limit, without the
form asked for; JSON where a schema forces it. No row may be lost without a reason, none may fail.
RATHER_GGUF=smollm2 (or a .gguf file) puts a real small model in their place: one row, some minutes.
"""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from rather.cli import api
from rather.core import registry
from rather.core.view import RunView

from ..runs import run_text
from ..tiny_gguf import write_language_model

pytest.importorskip("xllamacpp", reason="xllamacpp is not installed (rather[local])")
pytest.importorskip("gguf", reason="gguf is not installed")
pytestmark = pytest.mark.full

CHOSEN = os.environ.get("RATHER_GGUF", "")
ROWS = 1 if CHOSEN else 3
TOKENS = 200 if CHOSEN else 96
OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "tpo": {"synth.candidates": {"samples": 3}, "synth.overwrite_topics": {"facts": 3, "pairs": 12}},
    "crg": {"synth.rubric": {"max_tries": 2}},
    "cft": {"synth.critique": {"n": 2, "truth": "sides"}},
    "multi-critique": {},
    "ilf": {"synth.refine": {"samples": 2, "retries": 1}},
    "crome": {"synth.random_others": {"k": 1}, "synth.causal_augment": {"attributes": 2}},
    "refed": {"synth.reference_feedback": {"new": 2}},
    "scrit": {},
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    if CHOSEN:
        return CHOSEN
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_language_model(path)
    return str(path)


@pytest.fixture(scope="module")
def rows(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real problems with a right and a wrong solution, under every name these methods look for."""
    with gzip.open(data / "preferences" / "gsm8k_solutions.jsonl.gz", "rt", encoding="utf-8") as file:
        found = [json.loads(line) for line, _ in zip(file, range(ROWS), strict=False)]
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    with path.open("w", encoding="utf-8") as out:
        for row in found:
            texts = {name: row[name][:400] for name in ("prompt", "chosen", "rejected")}
            more = {"feedback": "Check the sums.", "reference": texts["chosen"], "candidates": [texts["rejected"]]}
            print(json.dumps(texts | more), file=out)
    return path


def served(name: str, weights: str, rows: Path) -> str:
    """The shipped recipe with its models replaced by the server, short replies and this source."""
    recipe = yaml.safe_load(api.shipped_recipes()[name].read_text(encoding="utf-8"))
    local = {"use": "local", "path": weights, "context": 4096, "parallel": 2, "threads": 1}
    recipe["models"] = {nickname: local for nickname in recipe["models"]}
    for k, entry in enumerate(recipe["stages"]):
        (kind,) = [key for key in entry if "." in key]
        options = dict(entry[kind] or {}) | OPTIONS[name].get(kind, {})
        if k == 0:
            options["path"] = str(rows)
        if "max_tokens" in registry.stages()[kind].model_fields:
            options["max_tokens"] = TOKENS
        recipe["stages"][k] = {**entry, kind: options}
    return yaml.safe_dump(recipe, sort_keys=False)


def told(view: RunView) -> tuple[Counter[str], int, int]:
    """Reasons of drops, rows that failed, calls."""
    reasons: Counter[str] = Counter()
    for count in view.funnel:
        reasons.update(count.dropped)
        assert count.rows_in + count.made == count.rows_out + sum(count.dropped.values()) + count.failed
    return reasons, sum(count.failed for count in view.funnel), sum(count.calls for count in view.funnel)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_model_that_knows_nothing(name: str, weights: str, rows: Path, tmp_path: Path) -> None:
    view = run_text(served(name, weights, rows), tmp_path / "run")
    reasons, failed, calls = told(view)
    first, last = view.funnel[0], [count for count in view.funnel if count.shape != "sink"][-1]
    print(f"{name}: {first.rows_in} rows in, {last.rows_out} out, {calls} calls, dropped {dict(reasons)}")
    assert first.rows_in == ROWS and calls > 0 and failed == 0
    assert last.rows_out > 0 or reasons, "every row that went has a reason"
    again = run_text(served(name, weights, rows), tmp_path / "again", journal=tmp_path / "journal.sqlite")
    assert told(again)[0] == reasons and sum(count.calls for count in again.funnel) == 0
