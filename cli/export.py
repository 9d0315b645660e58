"""`rather export`: a run or a dataset of any make in another trainer's columns."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, final

from ..core.errors import InputError, did_you_mean
from ..core.runs import open_run
from ..formats.dialects import DIALECTS, dialect
from ..formats.splits import splits_of
from ..formats.write_parquet import WriteParquet
from .opened import (
    OutsideRun,
    Reading,
    check_columns,
    check_target,
    is_run,
    known,
    mapped,
    nothing_left,
    read_run,
    refuse_for_run,
    rows_after,
)
from .parts import Part, assembled

FORMS: Final = ("auto", "text", "messages")


@final
@dataclass(frozen=True)
class ExportRequest:
    """The options of `rather export` as typed."""

    data: str
    to: str
    out: Path
    form: str = "auto"
    test: float = 0.0
    split: str | None = None
    stage: str | None = None
    format: str | None = None
    maps: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    json: bool = False

    def writer(self) -> WriteParquet:
        """The stage that writes; InputError for a dialect, form or share that is none."""
        if self.to not in DIALECTS:
            near = did_you_mean(self.to, DIALECTS)
            raise InputError(f"no dialect called {self.to}", place="--to", hint=near or f"known: {', '.join(DIALECTS)}")
        known(self.form, FORMS, "--form")
        if not 0 <= self.test < 1:
            raise InputError(f"--test {self.test:g} is no share from 0 to below 1", hint="as in --test 0.1")
        stage = WriteParquet(dialect=self.to, form=self.form, test=self.test, columns=self.keep)
        if faults := stage.faults():
            raise InputError(faults[0], place="--form")
        return stage


def export(request: ExportRequest) -> dict[str, Any]:
    """Write and tell; the facts as plain JSON."""
    facts = exported(request)
    if request.json:
        print(json.dumps(facts, ensure_ascii=False))
        return facts
    rows = ", ".join(f"{split} {n:,}" for split, n in facts["rows"].items())
    print(f"{facts['path']}: {facts['dialect']}, {facts['form']}; rows: {rows}")
    for reason, n in facts["left_out"].items():
        print(f"left out: {n:,} {reason}")
    if facts["leaked"]:
        print(f"beware: {facts['leaked']:,} prompts of the test split stand in another split as well")
    return facts


def exported(request: ExportRequest) -> dict[str, Any]:
    """Write the dataset folder; facts: path, dialect, form, rows by split, left_out by reason, leaked, bytes, files.

    Splits that the data has are kept as they are. The folder is replaced whole, or not at all.
    """
    writer = request.writer()
    check_target(request.out, Path(request.data))
    request.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=request.out.parent, prefix=f".{request.out.name}.") as scratch:
        parts = _written(request, writer, Path(scratch))
        forms = {part.facts["form"] for part in parts}
        if len(forms) > 1:  # one split needs messages: all are written so
            parts = _written(replace(request, form="messages"), replace_form(writer, "messages"), Path(scratch))
        with nothing_left(request.out):
            return assembled(request.out, request.data, request.to, parts)


def replace_form(writer: WriteParquet, form: str) -> WriteParquet:
    """The writer with another form."""
    return writer.model_copy(update={"form": form})


def _written(request: ExportRequest, writer: WriteParquet, scratch: Path) -> list[Part]:
    """Every split in a dataset folder of its own."""
    if is_run(request.data):
        refuse_for_run(request.data, split=request.split, format=request.format, map=request.maps)
        view = open_run(request.data)
        stage, frame = rows_after(view, request.stage)
        check_columns(writer, frame.names, f"{request.data}, after {stage}")
        facts = writer.sink(frame, OutsideRun(view, str(scratch / "run"), view.seed))  # type: ignore[arg-type]
        return [Part("train", Path(facts["path"]), facts, view, frame)]
    if request.stage is not None:
        raise InputError("--stage is for run folders", place=request.data)
    return [_read(request, writer, scratch, split) for split in _splits(request)]


def _splits(request: ExportRequest) -> tuple[str, ...]:
    there = splits_of(request.data) if request.split is None else (request.split,)
    if request.test and "test" in there and len(there) > 1:
        hint = "leave --test out to keep it, or name the split that is to be parted: --split train"
        raise InputError("the data has a test split already", place=request.data, hint=hint)
    return there or ("train",)


def _read(request: ExportRequest, writer: WriteParquet, scratch: Path, split: str) -> Part:
    pairs = "rejected" in dialect(request.to).reads
    source = Reading(request.data, split, request.format, mapped(request.maps), pairs).source()
    check_columns(writer, source.schema_names(), request.data)
    view = read_run(source, scratch / split, writer, name="export")
    _, frame = rows_after(view)
    facts = view.facts["write.parquet"]
    return Part(split, Path(facts["path"]), facts, view, frame)
