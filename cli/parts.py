"""Splits of a dataset, written each by itself, put together as one folder with one card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np
import pyarrow.parquet as pq

from ..core.errors import InputError
from ..core.view import RunView
from ..formats.card import About, Written, render_card
from ..formats.dialects import dialect
from ..formats.joined import joined
from ..formats.shards import publish, publish_text, staging
from ..formats.statistics import Statistics

if TYPE_CHECKING:
    from ..core.frame import Frame

APART: Final = "The test split holds whole prompts: no prompt stands in both splits."
"""What a card says of a test split."""


@final
@dataclass(frozen=True)
class Part:
    """One split, written by itself: its name, folder and facts, the run that read it, its rows."""

    split: str
    folder: Path
    facts: Mapping[str, Any]
    view: RunView
    frame: Frame


def assembled(out: Path, data: str, to: str, parts: Sequence[Part]) -> dict[str, Any]:
    """The parts as the splits of one dataset folder."""
    rows = {_named(split, part): n for part in parts for split, n in part.facts["rows"].items()}
    left_out = sum((Counter(part.facts["left_out"]) for part in parts), Counter[str]())
    if not sum(rows.values()):
        told = ", ".join(f"{n:,} {reason}" for reason, n in left_out.items()) or "there are no rows"
        raise InputError(f"no row fits {to}: {told}", place=data, hint="see: rather list formats")
    _same_columns(data, parts)
    leaked = shared_prompts(parts)
    card = _card(to, parts, rows, left_out, leaked)
    staged, files = staging(out / "data"), []
    for part in parts:
        for file in part.facts["files"]:
            name = _named(file["file"], part)
            (part.folder / "data" / file["file"]).rename(staged / name)
            files.append({**file, "file": name})
    publish(staged, out / "data")
    publish_text(card, out / "README.md")
    return {
        "path": str(out), "dialect": to, "form": parts[0].facts["form"], "rows": rows,
        "left_out": dict(left_out), "leaked": leaked, "bytes": sum(file["bytes"] for file in files), "files": files,
    }  # fmt: skip


def _named(name: str, part: Part) -> str:
    """A split or file as it is called in the whole: by itself every part is `train`."""
    return part.split + name.removeprefix("train") if name.startswith("train") else name


def _same_columns(data: str, parts: Sequence[Part]) -> None:
    first = _schema(parts[0])
    for part in parts[1:]:
        other = _schema(part)
        odd = [
            name
            for name in {**dict.fromkeys(first.names), **dict.fromkeys(other.names)}
            if not _alike(first, other, name)
        ]
        if odd:
            cause = f"the splits {parts[0].split} and {part.split} differ in column {odd[0]}"
            raise InputError(cause, place=data, hint="export them one by one: --split NAME")


def _alike(first: Any, other: Any, name: str) -> bool:
    return name in first.names and name in other.names and first.field(name).type == other.field(name).type


def _schema(part: Part) -> Any:
    return pq.read_schema(part.folder / "data" / part.facts["files"][0]["file"])


def _card(to: str, parts: Sequence[Part], rows: Mapping[str, int], left_out: Counter[str], leaked: int) -> str:
    if len(parts) == 1 and parts[0].split == "train":
        return (parts[0].folder / "README.md").read_text(encoding="utf-8")
    view, known_as = joined([part.view for part in parts]), dialect(to)
    figures = _figures(to, parts)
    written = Written(known_as.name, known_as.doc, rows, _schema(parts[0]), figures, left_out)
    card = render_card(view, written, About())  # type: ignore[arg-type]
    return (
        card.replace(APART, f"{leaked:,} prompts of the test split stand in another split as well.") if leaked else card
    )


def shared_prompts(parts: Sequence[Part]) -> int:
    """How many different prompts of the test split stand in another split too."""
    if len(parts) == 1:
        return 0
    found = {part.split: np.unique(part.frame.table(["prompt_hash"])["prompt_hash"].to_numpy()) for part in parts}
    tested = found.pop("test", np.empty(0, np.uint64))
    return len(np.intersect1d(tested, np.concatenate([np.empty(0, np.uint64), *found.values()])))


def _figures(to: str, parts: Sequence[Part]) -> dict[str, Any]:
    """Statistics of all rows written, whatever their split."""
    scores = list(parts[0].facts["statistics"]["scores"])
    reads = [name.rstrip("?") for name in dialect(to).reads]
    found = Statistics(scores)
    for part in parts:
        named = (
            [*reads, "prompt", "chosen", "rejected", *scores, "prompt_hash"] if "*" not in reads else part.frame.names
        )
        columns = [name for name in dict.fromkeys(named) if name in part.frame.names]
        for batch in part.frame.batches(columns):
            found.add(batch.filter(dialect(to).unfit(batch).is_null()))
    return found.facts()
