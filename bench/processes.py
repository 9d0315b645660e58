"""A command run in a process of its own and measured from outside."""

from __future__ import annotations

import resource
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

PAGE: Final = resource.getpagesize()
PAUSE: Final = 0.05


@final
@dataclass(frozen=True)
class Measured:
    """Wall and CPU seconds of a process and its children, and the peak of their memory in MiB."""

    wall: float
    cpu: float
    peak_mib: float

    def __str__(self) -> str:
        return f"{self.wall:7.2f} s  {self.cpu:7.2f} CPU s  {self.peak_mib:6.0f} MiB"


def measured(command: Sequence[str], log: Path) -> Measured:
    """Run a command to its end; raises SystemExit with the end of its output when it fails."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        peak = _watched(process)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{log.read_text(errors='replace')[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(wall, cpu, peak / 2**20)


def _watched(process: subprocess.Popen[bytes]) -> int:
    """Wait for the process; the largest sum of resident bytes of its tree seen meanwhile."""
    ended, peak = threading.Event(), [0]

    def watch() -> None:
        while not ended.wait(PAUSE):
            peak[0] = max(peak[0], sum(_resident(pid) for pid in _tree(process.pid)))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    process.wait()
    ended.set()
    watcher.join()
    return peak[0]


def _tree(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = [(task / "children").read_text().split() for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:  # it ended between two looks
        return
    for child in {int(child) for found in children for child in found}:
        yield from _tree(child)


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0
