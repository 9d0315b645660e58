"""`rather merge`: the shards of a run, or several dataset folders, as one dataset."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from ..core.errors import InputError
from ..core.runs import open_run
from ..core.view import RunView
from ..formats.joined import joined
from ..formats.merging import merge_folders
from ..formats.write_parquet import WriteParquet
from .interleave import interleaved
from .opened import OutsideRun, check_target, is_run, nothing_left
from .push import dataset_folder

_WHOLE: Final = ("fit", "select")


@final
@dataclass(frozen=True)
class MergeRequest:
    """The options of `rather merge` as typed."""

    parts: tuple[Path, ...]
    out: Path
    partial: bool = False
    json: bool = False


def merge(request: MergeRequest) -> dict[str, Any]:
    """Write the whole and tell; the facts as plain JSON."""
    facts = merged(request)
    if request.json:
        print(json.dumps(facts, ensure_ascii=False))
        return facts
    rows = ", ".join(f"{split} {n:,}" for split, n in facts["rows"].items())
    print(f"{facts['path']}: {len(request.parts)} {'part' if len(request.parts) == 1 else 'parts'}; rows: {rows}")
    for note in facts["notes"]:
        print(note)
    return facts


def merged(request: MergeRequest) -> dict[str, Any]:
    """One dataset folder of all parts; facts: path, rows by split, notes, and what was left out."""
    _apart(request)
    runs = [path for path in request.parts if is_run(path)]
    views = {path: open_run(path) for path in runs}
    shards = {path: view for path, view in views.items() if view.shard is not None}
    if shards:
        odd = next((path for path in request.parts if path not in shards), None)
        if odd is not None:
            raise InputError("this is no shard of a run, as others here are", place=str(odd), hint="merge it by itself")
        return _merged_shards(request, shards)
    with nothing_left(request.out):
        return merge_folders([dataset_folder(path) for path in request.parts], request.out, partial=request.partial)


def _apart(request: MergeRequest) -> None:
    seen: set[Path] = set()
    for path in request.parts:
        if not path.is_dir():
            raise InputError("no such folder", place=str(path), hint="give run folders or dataset folders")
        if path.resolve() in seen:
            raise InputError("this folder is given twice", place=str(path), hint="each part once")
        seen.add(path.resolve())
    check_target(request.out, *request.parts)


def _merged_shards(request: MergeRequest, shards: Mapping[Path, RunView]) -> dict[str, Any]:
    views = _in_order(shards, request.partial)
    stage, writer = _writer(views[0], request.parts[0])
    rows = interleaved([view.input_frame(stage) for view in views])
    context = OutsideRun(joined(views), str(request.out), views[0].seed)
    with nothing_left(request.out):
        facts = writer.model_copy(update={"path": ""}).sink(rows, context)  # type: ignore[arg-type]
    notes = [f"left out: {n:,} {reason}" for reason, n in facts["left_out"].items()]
    if rows.renumbered:
        notes.append(f"{rows.renumbered:,} ids stood in several shards, of equal rows: they are numbered anew")
    if not rows.placed:
        notes.append("the rows' places do not tell their order: one shard follows the other")
    parted = [line.stage for line in views[0].funnel if line.shape in _WHOLE and line.skipped is None]
    if parted:
        notes.append(f"decided in every shard by itself, not over all rows: {', '.join(parted)}")
    told = {name: facts[name] for name in ("path", "dialect", "form", "rows", "left_out", "bytes", "files")}
    return {**told, "renumbered": rows.renumbered, "notes": notes}


def _in_order(shards: Mapping[Path, RunView], partial: bool) -> list[RunView]:
    """The views, first shard first. InputError for shards that are missing, doubled or of different runs."""
    (first, view), *others = shards.items()
    total = _shard(view)[1]
    found: dict[int, Path] = {}
    for path, other in shards.items():
        number, of = _shard(other)
        if of != total:
            cause = f"this is a shard of {of}, and {first} one of {total}"
            raise InputError(cause, place=str(path), hint="merge the shards of one run")
        if number in found:
            cause = f"this is shard {number + 1}/{total}, as {found[number]} is"
            raise InputError(cause, place=str(path), hint="give each shard once")
        found[number] = path
    for path, other in others:
        if other.recipe != view.recipe:
            raise InputError(_difference(view, other, first), place=str(path), hint="merge shards of one recipe")
    missing = [f"{number + 1}/{total}" for number in range(total) if number not in found]
    if missing and not partial:
        cause = f"shard {missing[0]} is missing" if len(missing) == 1 else f"shards {', '.join(missing)} are missing"
        hint = f"run it with --shard {missing[0]}, or merge what is there with --partial"
        raise InputError(cause, place="merge", hint=hint)
    return [shards[found[number]] for number in sorted(found)]


def _shard(view: RunView) -> tuple[int, int]:
    assert view.shard is not None
    return view.shard


def _difference(view: RunView, other: RunView, first: Path) -> str:
    mine, theirs = view.recipe.splitlines(), other.recipe.splitlines()
    odd = next((line.strip() for line in theirs if line not in mine), "")
    return f"its recipe is not that of {first}" + (f": `{odd}` is not there" if odd else "")


def _writer(view: RunView, path: Path) -> tuple[str, WriteParquet]:
    found: Sequence[tuple[str, WriteParquet]] = [
        (node.name, node.stage) for node in view.plan.active if isinstance(node.stage, WriteParquet)
    ]
    if not found:
        raise InputError("this run wrote no dataset", place=str(path), hint="add write.parquet to its recipe")
    return found[-1]
