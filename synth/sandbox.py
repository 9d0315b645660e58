"""Running programs nobody has read: Python in namespaces of its own, within limits, or not at all."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, final

from ..core.errors import RowError
from .sandbox_filter import FOR, call_filter

_JAIL: Final = Path(__file__).with_name("sandbox_jail.py")
_GRACE: Final = 10.0
_NEEDS: Final = "it needs Linux 5.12 or newer, user namespaces allowed, and not a container that forbids them"


@final
class Ended(StrEnum):
    """How a program ended."""

    PASSED = "passed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    REFUSED = "refused"


@final
@dataclass(frozen=True)
class Limits:
    """What a program may use: seconds of wall time, MiB of memory a process, processes and threads, MiB on disk.

    Memory in all is at most `processes` times `memory_mib`, and `disk_mib`: the disk is in memory too.
    """

    seconds: float = 10.0
    memory_mib: int = 512
    processes: int = 4
    disk_mib: int = 8


@final
@dataclass(frozen=True)
class Ran:
    """How a program ended, and the last 8 KiB of what it wrote (output and errors)."""

    ended: Ended
    output: str


async def run_python(program: str, limits: Limits = Limits()) -> Ran:  # noqa: B008 (frozen)
    """Run a Python program shut in; `passed` when its last line was reached and it ended well.

    It sees the standard library, an empty /tmp and four devices: no other file, no network, no
    other process, no environment. `refused` says why this machine cannot do that. Raises RowError when
    the sandbox itself was killed.
    """
    return await asyncio.get_running_loop().run_in_executor(_pool(), _ran, program, limits)


@lru_cache(maxsize=1)
def sandbox_fault() -> str | None:
    """Why programs cannot be shut in on this machine, with what would help; None when they can."""
    try:
        ran = _ran("", Limits(seconds=_GRACE, processes=1))
    except RowError as error:
        ran = Ran(Ended.REFUSED, error.cause)
    if ran.ended is Ended.PASSED:
        return None
    return f"programs cannot be shut in here: {ran.output.strip() or ran.ended.value}; {_NEEDS}"


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="sandbox")


def _ran(program: str, limits: Limits) -> Ran:
    denied = call_filter()
    if denied is None:
        return Ran(Ended.REFUSED, f"the sandbox needs {FOR}")
    mark = secrets.token_hex(8)
    job = asdict(limits) | {
        "code": f"{program}\n__import__('os').write(3, b'{mark}')\n",
        "prefix": str(Path(sys.base_prefix).resolve()), "python": _python(),
        "filter": denied.hex(),
    }  # fmt: skip
    try:
        done = subprocess.run(
            [_python(), "-I", "-S", str(_JAIL)], input=json.dumps(job), capture_output=True, text=True,
            env={"LANG": "C.UTF-8"}, cwd="/", timeout=limits.seconds + _GRACE, check=False,
        )  # fmt: skip
        told: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return Ran(Ended.TIMED_OUT, "")
    except OSError as error:
        return Ran(Ended.REFUSED, f"the sandbox cannot be started ({error})")
    except ValueError as error:
        raise RowError("the sandbox ended without a word", hint="the machine may be out of memory") from error
    if "refused" in told:
        return Ran(Ended.REFUSED, told["refused"])
    return Ran(_ended(told, mark), told["output"])


def _ended(told: dict[str, Any], mark: str) -> Ended:
    code, last = told["exit"], told["output"].strip().rpartition("\n")[2]
    if code is None or code in (-24, -9):  # 24: the processor's time is used up, 9: and more than that
        return Ended.TIMED_OUT
    if code == 0 and told["finished"] == mark:
        return Ended.PASSED
    return Ended.OUT_OF_MEMORY if last.startswith("MemoryError") else Ended.FAILED


def _python() -> str:
    """The interpreter itself, not a virtual environment's link to it."""
    own = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return str((own if own.exists() else Path(sys.executable)).resolve())
