"""Shipped recipes run on rows of a test, every model a fake, chat models with recorded replies."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from rather.cli import api
from rather.core.view import RunView

from ..runs import run_text

Script = Sequence[tuple[str | Sequence[str], str | Sequence[str]]]


def shipped(
    name: str, source: Path, out: Path, fakes: Callable[[str], Mapping[str, Any]], *sets: str, limit: int | None = None
) -> RunView:
    """The run of a shipped recipe on these rows; `fakes` gives the model that stands in for a nickname's."""
    recipe = yaml.safe_load(api.shipped_recipes()[name].read_text(encoding="utf-8"))
    recipe["models"] = {nick: dict(fakes(nick)) for nick in recipe.get("models", {})}
    [(reader, options)] = recipe["stages"][0].items()
    recipe["stages"][0] = {reader: options | {"path": str(source)}}
    return run_text(yaml.safe_dump(recipe, sort_keys=False), out, *sets, limit=limit)


def faked(
    name: str, rows: Mapping[str, Any] | pa.Table, folder: Path, script: Script, *sets: str, **faults: float
) -> RunView:
    """The run of a shipped recipe on these columns; `sets` are those of the command line, `faults` the fakes'."""
    fake = {"use": "fake_chat", "script": recorded(folder / "script.jsonl", script), **faults}
    return shipped(name, stored(rows, folder), folder / "run", lambda nick: fake | {"name": nick}, *sets)


def recorded(path: Path, script: Script) -> str:
    """The file of recorded replies a fake chat model reads."""
    told = "\n".join(json.dumps({"contains": texts, "reply": reply}) for texts, reply in script)
    path.write_text(told, encoding="utf-8")
    return str(path)


def stored(rows: Mapping[str, Any] | pa.Table, folder: Path) -> Path:
    """The file of these columns, for a recipe to read."""
    path = folder / "rows.parquet"
    pq.write_table(rows if isinstance(rows, pa.Table) else pa.table(dict(rows)), path)
    return path


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
