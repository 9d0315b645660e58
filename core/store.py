"""The run folder: one folder a finished stage, named by its key; put in place whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, final

from .errors import InputError, RunLocked
from .secrets import redact

RECORD: Final = "record.json"


@final
@dataclass(frozen=True)
class Record:
    """What a finished stage leaves beside its files: its counts, cost and facts; a line of the funnel.

    `unanswered` rows have a judgement whose call failed: the next run asks again. `skipped` is why an `if:`
    left the stage out, `reused` tells that it was not run again; a stage that was skipped has no key.
    """

    stage: str
    kind: str
    shape: str
    key: str = ""
    rows_in: int = 0
    made: int = 0
    rows_out: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    unanswered: int = 0
    seconds: float = 0.0
    calls: int = 0
    calls_reused: int = 0
    tokens: int = 0
    usd: float = 0.0
    level_rows: int | None = None
    until_reached: bool = False
    came_from: str = ""
    outcome: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    skipped: str | None = None
    reused: bool = False

    @property
    def drops(self) -> int:
        """Rows dropped, for all reasons."""
        return sum(self.dropped.values())


@final
class RunFolder:
    """Finished stages of one run, the lock on it, and the scratch space of what is being made."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stages = path / "stages"
        self._lock: Any = None

    def open(self) -> None:
        """Make the folder, take its lock, clear what a killed run left half made."""
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path} is a file, not a folder", hint="choose another --out")
        try:
            self.stages.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / ".lock").open("w")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise InputError(f"cannot write to {self.path}: {reason}", hint="choose another --out") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise RunLocked(
                f"another run is at work in {self.path}", hint="wait for it, or give --out another folder"
            ) from None
        shutil.rmtree(self.path / ".making", ignore_errors=True)

    def close(self) -> None:
        """Give the lock back and leave no scratch behind."""
        shutil.rmtree(self.path / ".making", ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def clear(self) -> None:
        """Forget every finished stage (`--fresh`); the journal of paid calls stays."""
        shutil.rmtree(self.stages, ignore_errors=True)
        self.stages.mkdir(parents=True, exist_ok=True)

    def home(self, name: str, key: str) -> Path:
        """Where the finished stage with this key lies, or will."""
        return self.stages / f"{name.replace('/', '_')}-{key[:12]}"

    def scratch(self, name: str, key: str) -> Path:
        """An empty folder to make a stage in."""
        path = self.path / ".making" / self.home(name, key).name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def record(self, name: str, key: str) -> Record | None:
        """The record of a finished stage, None if it is not finished."""
        try:
            fields = json.loads((self.home(name, key) / RECORD).read_text(encoding="utf-8"))
            return Record(**fields)
        except (OSError, ValueError, TypeError):
            return None

    def finish(self, scratch: Path, record: Record) -> Path:
        """Put a made stage in its place in one step."""
        write_json(scratch / RECORD, asdict(record))
        home = self.home(record.stage, record.key)
        shutil.rmtree(home, ignore_errors=True)
        home.parent.mkdir(parents=True, exist_ok=True)
        scratch.replace(home)
        return home


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Canonical JSON, secrets taken out, durable before it is there."""
    text = redact(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, default=str))
    write_text(path, text + "\n")


def write_text(path: Path, text: str) -> None:
    """Text put in place in one step: a reader sees the old file or the new one, never half."""
    partial = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


@contextlib.contextmanager
def opened(folder: RunFolder) -> Iterator[RunFolder]:
    """The folder locked for the length of a `with`."""
    folder.open()
    try:
        yield folder
    finally:
        folder.close()
