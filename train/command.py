"""`train.command`: hand the written dataset to any trainer that has a command line."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import signal
import string
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, final

from pydantic import Field

from ..core.declared import FileOf, StageOf
from ..core.errors import RunError, StageFailed, did_you_mean
from ..core.registry import register
from ..core.secrets import redact
from ..core.stage import Context, Sink
from .dataset import written_dataset

if TYPE_CHECKING:
    from ..core.frame import Frame

NAMES: Final = ("data", "run", "out", "seed")
ALWAYS: Final = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "TZ", "VIRTUAL_ENV", "CUDA_VISIBLE_DEVICES",
                 "HF_HOME", "HF_HUB_OFFLINE")  # fmt: skip
GRACE: Final = 10.0
"""Seconds between asking a trainer to end and ending it."""
TOLD: Final = 12
"""Last lines of the log that an error shows."""
LOG: Final = logging.getLogger("rather.train.command")


@final
@register("train.command")
class TrainCommand(Sink):
    """Run a trainer on the dataset written before, without a shell, and keep what it says.

    In the arguments `{data}` is the dataset's folder, `{run}` the run folder, `{out}` the trainer's
    own, `{seed}` the recipe's seed; `{{` is a brace. What it prints is added to `train.command.log`
    in the run folder and goes to the logger `rather.train.command`. It may resume from what lies in `{out}`.
    """

    reads = ()

    command: Annotated[tuple[str, ...] | str, Field(min_length=1)]
    """Program and arguments; a string is split as a shell would, before names are filled in."""
    data: Annotated[str | None, StageOf()] = None
    """The write.parquet stage whose dataset is meant; the last one if not given."""
    out: str = "trained"
    """Folder `{out}`, made before; a relative path is taken from the run folder."""
    env: tuple[str, ...] = ()
    """Environment beside PATH, HOME and the like: `NAME` is handed on, `NAME=value` set."""
    cwd: Annotated[str, FileOf()] = "."
    """Folder the trainer starts in; a relative path is taken from where rather was started."""
    timeout: Annotated[float, Field(gt=0)] | None = None
    """Seconds after which it is ended and the stage fails; none if not given."""

    def faults(self) -> Sequence[str]:
        """A command that cannot be split, unknown names in braces, a program that is not there."""
        try:
            words = self._words()
            found = [fault for word in words for fault in _unknown_names(word)]
        except ValueError as error:
            return [f"the command cannot be read: {str(error).lower()}; check its quotes and braces"]
        if not words:
            return ["the command is empty; name a program"]
        if not found and "{" not in words[0] and _program(words[0], self.cwd) is None:
            found = [f"there is no program {words[0]}; install it, or give its whole path"]
        return found

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: path (`{out}`), log, command, data, seconds. Raises StageFailed if it fails."""
        data = written_dataset(ctx.view, self.data).path
        out = (Path(ctx.out) / self.out).resolve()
        out.mkdir(parents=True, exist_ok=True)
        values = {"data": str(data), "run": str(Path(ctx.out).resolve()), "out": str(out), "seed": str(ctx.seed)}
        words = [word.format_map(values) for word in self._words()]
        words[0] = _program(words[0], self.cwd) or words[0]
        log = Path(ctx.out) / "train.command.log"
        began = time.perf_counter()
        running = _Running.started(words, self._environment(), self.cwd, log)
        code = running.wait(self.timeout, ctx)
        if code:
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            raise StageFailed(f"{words[0]} {how}{running.last_words()}", place="train.command", hint=f"log: {log}")
        seconds = round(time.perf_counter() - began, 2)
        return {"path": str(out), "log": str(log), "command": words, "data": str(data), "seconds": seconds}

    def _words(self) -> list[str]:
        return shlex.split(self.command) if isinstance(self.command, str) else list(self.command)

    def _environment(self) -> dict[str, str]:
        wanted = [*ALWAYS, *self.env]
        given = {name: value for name, _, value in (entry.partition("=") for entry in wanted if "=" in entry)}
        return {name: os.environ[name] for name in wanted if name in os.environ} | given


@final
@dataclass
class _Running:
    """A started program in a process group of its own, and the thread that reads what it says."""

    process: subprocess.Popen[str]
    log: Path
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TOLD))
    _reader: threading.Thread | None = None

    @classmethod
    def started(cls, words: list[str], env: dict[str, str], cwd: str, log: Path) -> _Running:
        """Start the program; StageFailed if it cannot be."""
        try:
            process = subprocess.Popen(
                words, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, errors="replace", bufsize=1, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            cause = f"{words[0]} cannot be started: {error.strerror}"
            raise StageFailed(cause, place="train.command", hint="check command: and cwd:") from error
        running = cls(process, log)
        running._reader = threading.Thread(target=running._read, name="train.command", daemon=True)
        running._reader.start()
        return running

    def wait(self, timeout: float | None, ctx: Context) -> int:
        """Its exit code; ends it and raises when time is up or the run is being interrupted."""
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            while (code := self._polled(0.1)) is None:
                if ctx.stop_asked():
                    raise RunError("interrupted: the trainer was ended", place="train.command")
                if deadline is not None and time.monotonic() > deadline:
                    cause = f"not done after {timeout:g} s, ended{self.last_words()}"
                    raise StageFailed(cause, place="train.command", hint=f"raise timeout:; log: {self.log}")
            return code
        finally:
            self._end()

    def last_words(self) -> str:
        """The end of what it said, for an error; empty if it said nothing."""
        return ". Last lines:\n  " + "\n  ".join(self.tail) + "\n" if self.tail else ""

    def _polled(self, seconds: float) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            return self.process.wait(seconds)
        return None

    def _end(self) -> None:
        """End whatever is left of the process group, gently first, and read the rest."""
        for how, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
            if self._polled(0) is None:
                with suppress(ProcessLookupError):
                    os.killpg(self.process.pid, how)
                self._polled(patience)
        if self._reader is not None:
            self._reader.join(timeout=1.0)
        if self._reader is not None and self._reader.is_alive():  # a child of its holds the pipe
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self._reader.join(timeout=GRACE)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.log.open("a", encoding="utf-8") as file, self.process.stdout as said:
            for line in said:
                clean = redact(line.rstrip("\n"))
                self.tail.append(clean[:500])
                file.write(clean + "\n")
                file.flush()
                LOG.info("%s", clean)


def _program(word: str, cwd: str) -> str | None:
    """Where the program is, as an absolute path; one named with a slash is looked for from `cwd`."""
    if os.sep in word:
        path = Path(cwd).resolve() / word
        return str(path) if os.access(path, os.X_OK) and path.is_file() else None
    return shutil.which(word)


def _unknown_names(word: str) -> list[str]:
    """Faults of one argument's braces: only the plain names of `NAMES` may stand in them."""
    faults = []
    for _, name, spec, conversion in string.Formatter().parse(word):
        if name is not None and (name not in NAMES or spec or conversion):
            inside = "".join([name, f"!{conversion}" if conversion else "", f":{spec}" if spec else ""])
            hint = did_you_mean(name, NAMES) or "write {{ and }} for braces"
            faults.append(f"the command names {{{inside}}}, which is not known; {hint}")
    return faults
