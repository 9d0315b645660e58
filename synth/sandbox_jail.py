"""The inside of the sandbox: a script of its own that shuts itself in and runs the program it is handed.

`sandbox.py` runs it as `python -I -S sandbox_jail.py` with a job as JSON on its standard input; it answers
with JSON. Nothing of the package is imported, so that nothing of it can be reached from within. It leaves
behind, in this order: its user, network, processes and mounts (namespaces); all folders but the language's
own, which can only be read; its capabilities; some system calls (seccomp). What cannot be had is refused.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any, Final, final

NOBODY: Final = 65534
TAIL: Final = 8192
_NEW: Final = 0x10000000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000 | 0x00020000  # user pid net ipc uts mount
_NOSUID, _NODEV, _BIND, _REC, _PRIVATE = 2, 4, 4096, 16384, 1 << 18
_FOLDERS: Final = ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/nix/store")
_DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_libc = ctypes.CDLL(None, use_errno=True)


@final
class Refused(Exception):
    """The machine does not allow what a sandbox needs."""


def _check(result: int, what: str) -> None:
    """Raise Refused, with the system's reason, for a call that failed."""
    if result < 0:
        raise Refused(f"{what}: {os.strerror(ctypes.get_errno())}")


def _prctl(option: int, *values: Any) -> int:
    return int(_libc.prctl(option, *(list(values) + [0] * (4 - len(values)))))


def own_namespaces() -> bool:
    """Leave user, network, processes, mounts; True when only one user could be brought along."""
    ready, go = os.pipe()
    helper = os.fork()
    if helper == 0:
        os.close(go)
        os.read(ready, 1)
        os._exit(_map_users(os.getppid()))
    failed = _libc.unshare(_NEW)
    os.write(go, b".")
    status = os.waitstatus_to_exitcode(os.waitpid(helper, 0)[1])
    _check(failed, "namespaces")
    if status > 1:
        raise Refused("namespaces: users cannot be mapped")
    return status == 1


def _map_users(of: int) -> int:
    """From outside: 0 = root and nobody are there, 1 = the one user as nobody, 2 = neither could be done."""
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        try:
            for name in ("uid_map", "gid_map"):
                _write(f"/proc/{of}/{name}", f"0 0 1\n{NOBODY} {NOBODY} 1")
            return 0
        except OSError:
            user = os.geteuid()  # root of a container that has no other user: on as anybody
    try:
        _write(f"/proc/{of}/setgroups", "deny")
        _write(f"/proc/{of}/uid_map", f"{NOBODY} {user} 1")
        _write(f"/proc/{of}/gid_map", f"{NOBODY} {group} 1")
        return 1
    except OSError:
        return 2


def furnish(job: dict[str, Any]) -> None:
    """A root of its own: the language, a few devices, the program, all to be read only, and a small /tmp."""
    _mount(None, "/", None, _REC | _PRIVATE)
    _mount("tmpfs", "/tmp", "tmpfs", _NOSUID | _NODEV, f"size={len(job['code']) // 1024 + 1024}k,mode=755")
    Path("/tmp/old").mkdir()
    _check(_libc.pivot_root(b"/tmp", b"/tmp/old"), "pivot_root")
    os.chdir("/")
    for folder in (*_FOLDERS, job["prefix"]):
        _show(folder)
    for device in _DEVICES:
        Path(device).parent.mkdir(exist_ok=True)
        _write(device, "")
        _mount(f"/old{device}", device, None, _BIND)
    _check(_libc.umount2(b"/old", 2), "umount")
    Path("/old").rmdir()
    _write("/main.py", job["code"])
    Path("/tmp").mkdir(exist_ok=True)
    _mount("tmpfs", "/tmp", "tmpfs", _NOSUID | _NODEV, f"size={job['disk_mib']}m,nr_inodes=1024,mode=1777")
    _read_only("/", 0)
    os.chdir("/tmp")


def _show(folder: str) -> None:
    place, source = Path(folder), Path(f"/old{folder}")
    if place.exists() or place.is_symlink() or not source.exists():
        return
    if source.is_symlink():
        place.symlink_to(source.readlink())
        return
    place.mkdir(parents=True)
    _mount(str(source), folder, None, _BIND | _REC)
    _read_only(folder, 0x8000)


def _write(path: str, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | (0 if path.startswith("/proc/") else os.O_CREAT), 0o644)
    os.write(handle, text.encode("utf-8", "surrogatepass"))
    os.close(handle)


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    given = [None if text is None else text.encode() for text in (source, target, kind)]
    _check(_libc.mount(*given, ctypes.c_ulong(flags), options.encode() if options else None), f"mount {target}")


def _read_only(path: str, recursive: int) -> None:
    wish = struct.pack("=QQQQ", 1 | 2 | (4 if recursive else 0), 0, 0, 0)  # read only, no set-user-id, no devices
    _check(_libc.syscall(442, -100, path.encode(), recursive, wish, len(wish)), f"mount_setattr {path}")


def filter_calls(program: bytes) -> None:
    """Install a filter of system calls (`sandbox_filter` says which)."""
    code = ctypes.create_string_buffer(program)
    _check(_prctl(22, 2, struct.pack("@HP", len(program) // 8, ctypes.addressof(code))), "seccomp")


def become_nobody(alone: bool) -> None:
    """No other user, no group, no capability, and none to be had again."""
    if not alone:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    _check(_libc.capset(struct.pack("=II", 0x20080522, 0), bytes(24)), "capset")
    _check(_prctl(38, 1), "no_new_privs")


def limit(job: dict[str, Any], alone: bool) -> None:
    """Bounds of one process, and of how many there may be."""
    bounds = {
        resource.RLIMIT_AS: job["memory_mib"] << 20, resource.RLIMIT_FSIZE: job["disk_mib"] << 20,
        resource.RLIMIT_CPU: int(job["seconds"]) + 1, resource.RLIMIT_NPROC: job["processes"] + 2 * alone,
        resource.RLIMIT_NOFILE: 64, resource.RLIMIT_CORE: 0, resource.RLIMIT_MSGQUEUE: 0, resource.RLIMIT_MEMLOCK: 0,
    }  # fmt: skip
    for which, most in bounds.items():
        resource.setrlimit(which, (most, most))


def work(job: dict[str, Any], alone: bool, said: int, done: int) -> None:
    """The program's own process, up to the moment it is the program."""
    for target, source in ((0, os.open("/dev/null", os.O_RDONLY)), (1, said), (2, said), (3, done)):
        os.dup2(source, target)
    os.closerange(4, 1024)
    os.setsid()
    limit(job, alone)
    become_nobody(alone)
    filter_calls(bytes.fromhex(job["filter"]))
    surroundings = {"HOME": "/tmp", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}
    os.execve(job["python"], [job["python"], "-I", "-S", "-B", "/main.py"], surroundings)


def watch(job: dict[str, Any], alone: bool) -> dict[str, Any]:
    """Start the program, collect the end of what it says, end it at its time; as process 1 its end is everybody's."""
    (hear, said), (told, done) = os.pipe(), os.pipe()
    ends = time.monotonic() + job["seconds"]
    worker = os.fork()
    if worker == 0:
        try:
            work(job, alone, said, done)
        except BaseException as error:  # nothing may go on from here
            os.write(2, f"cannot begin: {error}".encode())
        os._exit(125)
    os.close(said)
    os.close(done)
    os.set_blocking(hear, False)
    heard, status, open_still = b"", None, True
    while status is None and time.monotonic() < ends:
        if select.select([hear] if open_still else [], [], [], 0.02)[0]:
            piece = os.read(hear, 65536)
            open_still, heard = bool(piece), (heard + piece)[-TAIL:]
        pid, found = os.waitpid(worker, os.WNOHANG)
        status = found if pid else None
    while open_still and select.select([hear], [], [], 0)[0] and (piece := os.read(hear, 65536)):
        heard = (heard + piece)[-TAIL:]
        open_still = time.monotonic() < ends + 0.2
    os.set_blocking(told, False)
    finished = bool(select.select([told], [], [], 0)[0]) and os.read(told, 64).decode("utf-8", "replace")
    code = None if status is None else os.waitstatus_to_exitcode(status)
    return {"exit": code, "finished": finished or "", "output": heard.decode("utf-8", "replace")}


def main() -> None:
    job = json.load(sys.stdin)
    try:
        _prctl(1, signal.SIGKILL)
        alone = own_namespaces()
        first = os.fork()
        if first:
            os._exit(os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) and 1)
        _prctl(1, signal.SIGKILL)
        furnish(job)
        print(json.dumps(watch(job, alone)), flush=True)
    except (Refused, OSError) as error:
        print(json.dumps({"refused": str(error)}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
