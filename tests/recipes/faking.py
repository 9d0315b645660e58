"""Shipped recipes run on rows of a test, every chat model a fake with recorded replies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from rather.cli import api
from rather.core.view import RunView

from ..runs import run_text

Script = Sequence[tuple[str | Sequence[str], str | Sequence[str]]]


def faked(name: str, rows: Mapping[str, Any], folder: Path, script: Script, *sets: str, **faults: float) -> RunView:
    """The run of a shipped recipe on these columns; `sets` are those of the command line, `faults` the fakes'."""
    told = "\n".join(json.dumps({"contains": texts, "reply": reply}) for texts, reply in script)
    (folder / "script.jsonl").write_text(told, encoding="utf-8")
    pq.write_table(pa.table(dict(rows)), folder / "rows.parquet")
    recipe = yaml.safe_load(api.shipped_recipes()[name].read_text(encoding="utf-8"))
    fake = {"use": "fake_chat", "script": str(folder / "script.jsonl"), **faults}
    recipe["models"] = {nick: fake | {"name": nick} for nick in recipe["models"]}
    [(source, options)] = recipe["stages"][0].items()
    recipe["stages"][0] = {source: options | {"path": str(folder / "rows.parquet")}}
    return run_text(yaml.safe_dump(recipe, sort_keys=False), folder / "run", *sets)


def written(folder: Path) -> list[dict[str, Any]]:
    """The rows a recipe wrote, conversations as the text of their last turn."""
    rows: list[dict[str, Any]] = pq.read_table(folder / "run" / "data" / "data").to_pylist()
    for row in rows:
        for name in ("prompt", "chosen", "rejected", "completion"):
            if isinstance(row.get(name), list):
                row[name] = row[name][-1]["content"]
    return rows


def calls(view: RunView) -> int:
    """Paid calls of all stages; nothing failed."""
    assert all(count.failed == 0 for count in view.funnel)
    return sum(count.calls for count in view.funnel)
