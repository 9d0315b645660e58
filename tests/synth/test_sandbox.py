"""Programs that want out, or too much, are stopped, reported, and harm nothing."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest
from rather.core.errors import RowError
from rather.synth.sandbox import Ended, Limits, Ran, run_python, sandbox_fault

FAULT = sandbox_fault()
pytestmark = pytest.mark.skipif(": namespaces: " in (FAULT or ""), reason="this machine forbids namespaces")
SHORT = Limits(seconds=1, memory_mib=256)


def ran(program: str, limits: Limits = SHORT) -> Ran:
    return asyncio.run(run_python(program, limits))


def alive(mark: str) -> list[str]:
    """Processes of this machine whose command line or environment holds `mark`, or who run a sandbox's program."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or folder.name == str(os.getpid()):
            continue
        try:
            line = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if mark in line:
            found.append(line)
    return found


def test_where_there_are_namespaces_there_is_a_sandbox() -> None:
    assert FAULT is None


def test_a_program_that_ends_well_passes_and_one_that_raises_fails() -> None:
    assert ran("print(1 + 1)") == Ran(Ended.PASSED, "2\n")
    failed = ran("def f(x):\n    return x\nassert f(1) == 2, 'one is not two'")
    assert failed.ended is Ended.FAILED and failed.output.endswith("AssertionError: one is not two\n")
    assert ran("def f(:").ended is Ended.FAILED


@pytest.mark.parametrize("way", ["import sys; sys.exit(0)", "import os; os._exit(0)", "raise SystemExit"])
def test_ending_before_the_last_line_is_no_pass(way: str) -> None:
    assert ran(f"{way}\nassert False").ended is Ended.FAILED


def test_a_fork_bomb_is_stopped_and_nothing_is_left_of_it() -> None:
    began = time.monotonic()
    bomb = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n"
    assert ran(bomb).ended is Ended.TIMED_OUT
    assert time.monotonic() - began < 6
    assert alive("/main.py") == []


def test_an_endless_loop_ends_in_time_and_so_does_what_it_left_behind() -> None:
    began = time.monotonic()
    assert ran("while True:\n    pass").ended is Ended.TIMED_OUT
    left = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)\nprint('parent')"
    assert ran(left) == Ran(Ended.PASSED, "parent\n")
    assert time.monotonic() - began < 6
    assert alive("/main.py") == []


def test_endless_output_is_cut_and_costs_no_memory() -> None:
    told = ran("while True:\n    print('x' * 1000)", Limits(seconds=1))
    assert told.ended is Ended.TIMED_OUT and 0 < len(told.output) <= 8192


@pytest.mark.parametrize("size", ["10 * 2**30", "300 * 2**20"])
def test_too_large_an_allocation_is_refused(size: str) -> None:
    assert ran(f"x = bytearray({size})").ended is Ended.OUT_OF_MEMORY


def test_files_outside_can_neither_be_written_nor_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret", encoding="utf-8")
    aim = tmp_path / "written.txt"
    for act in (f"open({str(aim)!r}, 'w')", "open('/usr/here', 'w')", "open('/here', 'w')", "open('/main.py', 'a')"):
        assert ran(act).ended is Ended.FAILED
    assert ran(f"open({str(secret)!r})").output.count("No such file") == 1
    assert ran(f"open({str(Path.home() / '.bashrc')!r})").ended is Ended.FAILED
    assert ran("open('/tmp/mine', 'w').write('kept')\nassert open('/tmp/mine').read() == 'kept'").ended is Ended.PASSED
    assert not aim.exists() and not Path("/usr/here").exists() and not Path("/tmp/mine").exists()
    assert secret.read_text(encoding="utf-8") == "a secret"


def test_the_disk_is_small() -> None:
    told = ran("for k in range(99):\n    open(f'/tmp/{k}', 'wb').write(bytes(2**20))")
    assert told.ended is Ended.FAILED and "No space left" in told.output


def test_there_is_no_network_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATHER_SECRET", "hidden")
    calls = "import socket\nsocket.create_connection(('127.0.0.1', 22), 1)"
    assert "PermissionError" in ran(calls).output
    assert ran("import os\nassert 'RATHER_SECRET' not in os.environ").ended is Ended.PASSED
    assert ran("import os\nassert os.getuid() == 65534 and os.getpid() < 9").ended is Ended.PASSED
    assert "PermissionError" in ran("import os\nos.kill(1, 9)").output


@pytest.mark.parametrize(
    "call", ["unshare(0x10000000)", "mount(b't', b'/tmp', b'tmpfs', 0, None)", "shmget(0, 4096, 0o1600)"]
)
def test_calls_that_lead_around_the_limits_are_denied(call: str) -> None:
    program = f"import ctypes\nlib = ctypes.CDLL(None, use_errno=True)\nassert lib.{call} == -1\n"
    assert ran(program + "assert ctypes.get_errno() == 1").ended is Ended.PASSED
    assert "PermissionError" in ran("import os\nos.memfd_create('more')").output


def test_many_run_side_by_side() -> None:
    async def several() -> list[Ran]:
        return list(await asyncio.gather(*(run_python(f"print({k})", SHORT) for k in range(6))))

    assert [r.output for r in asyncio.run(several())] == [f"{k}\n" for k in range(6)]


def test_a_machine_that_cannot_shut_in_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    jail = tmp_path / "jail.py"
    jail.write_text('print(\'{"refused": "namespaces: Operation not permitted"}\')', encoding="utf-8")
    monkeypatch.setattr("rather.synth.sandbox._JAIL", jail)
    assert ran("print(1)") == Ran(Ended.REFUSED, "namespaces: Operation not permitted")
    jail.write_text("", encoding="utf-8")
    with pytest.raises(RowError, match="without a word"):
        ran("print(1)")
    sandbox_fault.cache_clear()
    assert "without a word; it needs Linux" in (sandbox_fault() or "")
    sandbox_fault.cache_clear()
