"""Chat models that answer from recorded replies, and a map run on one row as the engine would."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, final

import pyarrow as pa
from rather.core.errors import CallError
from rather.core.paid import Reply, Request
from rather.core.row import COLUMNS
from rather.core.stage import Drop, Dropped, Map

from ..judges import FakeContext

REFUSAL = "I'm sorry, I can't help with that."
Said = str | Reply | CallError
Script = Sequence[tuple[str | Sequence[str], Said | Sequence[Said]]]


@final
class Scripted:
    """The first entry all of whose texts stand in a request answers it; a list of replies serves seeds 7, 8, …

    Equal requests are paid for once, as by the journal; `asked` holds those that were paid for.
    """

    def __init__(self, script: Script, name: str = "scripted") -> None:
        self.script, self.name = script, name
        self.asked: list[str] = []
        self._known: dict[str, Reply] = {}

    async def ask(self, request: Request, attempt: int = 0) -> Reply:
        key = repr((request, attempt))
        if key not in self._known:
            self._known[key] = self._reply(request)
        await asyncio.sleep(0)
        return self._known[key]

    def _reply(self, request: Request) -> Reply:
        text = "\n".join(str(message["content"]) for message in request["messages"])
        self.asked.append(text)
        for contains, replies in self.script:
            if all(part in text for part in ([contains] if isinstance(contains, str) else contains)):
                said = replies
                if not isinstance(replies, (str, Reply, CallError)):
                    said = replies[(request.get("seed") or 7) - 7]
                if isinstance(said, CallError):
                    raise said
                return Reply(said) if isinstance(said, str) else said
        raise AssertionError(f"nothing recorded for:\n{text}")


def ran(stage: Map, row: Mapping[str, Any], script: Script, **models: Any) -> tuple[Any, Scripted]:
    """The rows a map makes of one row (or its Drop), and the model that wrote; others by nickname."""
    writer = Scripted(script)
    ctx = FakeContext({"writer": writer, "judge": writer} | models)
    needed = [name for name in stage.columns_read() if not name.endswith("?")]
    assert set(needed) <= set(row), f"the row lacks {set(needed) - set(row)}"
    kept = {name: row[name] for name in (*{n.rstrip("?") for n in stage.columns_read()}, "id") if name in row}
    try:
        found = asyncio.run(stage.map(kept, ctx))
    except Dropped as dropped:
        return dropped.drop, writer
    if not isinstance(found, Drop):
        fits(stage, found)
    return found, writer


def fits(stage: Map, rows: Sequence[Mapping[str, Any]]) -> None:
    """Every column given is declared, and has the declared type."""
    declared = {column.name: column.type or COLUMNS[column.name] for column in stage.columns_written()}
    for row in rows:
        assert set(row) <= set(declared) | {name.rstrip("?") for name in stage.columns_read()}
        for name, value in row.items():
            pa.array([value], declared.get(name) or COLUMNS[name])


def row_of(prompt: str, **columns: Any) -> dict[str, Any]:
    """A row: the prompt as one message, answers of plain text, the other columns as they are."""
    row: dict[str, Any] = {"id": "row0", "prompt": [{"role": "user", "content": prompt}]}
    for name, value in columns.items():
        row[name] = {"text": value} if name in ("chosen", "rejected") and isinstance(value, str) else value
    return row


def texts(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with messages and answers as their texts."""
    plain: dict[str, Any] = {}
    for name, value in row.items():
        if name == "prompt":
            plain[name] = "\n\n".join(message["content"] for message in value)
        elif name in ("chosen", "rejected"):
            plain[name] = value and value["text"]
        else:
            plain[name] = value
    return plain


def signed(text: str, stage: str, method: str, params: Any, seed: int | None = 7, by: str = "scripted") -> Any:
    """An answer as the stage that made it signs it; its params are an object, as `opened` gives them."""
    origin = {"stage": stage, "method": method, "params": params, "model": by, "seed": seed}
    return {"text": text, "turns": None, "image": None, "model": by, "made_by": origin}


def opened(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with the params of its origins as objects, to be compared with numbers near them."""
    made = {name: row[name] for name in ("chosen", "rejected") if row.get(name) and row[name].get("made_by")}
    found = {name: answer | {"made_by": _opened(answer["made_by"])} for name, answer in made.items()}
    return {**row, **found, **({"made_by": _opened(row["made_by"])} if "made_by" in row else {})}


def _opened(origin: Mapping[str, Any]) -> dict[str, Any]:
    return {**origin, "params": json.loads(origin["params"])}


def real_pairs(data: Path, file: str, n: int = 3) -> list[dict[str, Any]]:
    """The first n pairs of a file of real preferences."""
    return [row_of(row["prompt"], chosen=row["chosen"], rejected=row["rejected"]) for row in real_rows(data, file, n)]


def real_solutions(data: Path, n: int = 3) -> list[dict[str, Any]]:
    """The first n problems with a right solution, a wrong one and the reference."""
    return [
        row_of(row["prompt"], chosen=row["chosen"], rejected=row["rejected"], reference=row["extra"]["ground_truth"])
        for row in real_rows(data, "gsm8k_solutions.jsonl.gz", n)
    ]


def real_rows(data: Path, file: str, n: int = 3) -> list[dict[str, Any]]:
    """The first n records of a file of real preferences, as they are."""
    path = data / "preferences" / file
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in islice(lines, n)]


def made(
    text: str, stage: str, method: str, seed: int | None = 7, by: str = "scripted", **params: Any
) -> dict[str, Any]:
    """An answer a stage made, with the whole of how it was made."""
    told = json.dumps(params, sort_keys=True, separators=(",", ":"))
    origin = {"stage": stage, "method": method, "params": told, "model": by, "seed": seed}
    return {"text": text, "turns": None, "image": None, "model": by, "made_by": origin}


def message(content: str, role: str = "user") -> dict[str, Any]:
    """A message of plain text as rows hold it."""
    return {"role": role, "content": content, "parts": None, "tool_calls": None}
