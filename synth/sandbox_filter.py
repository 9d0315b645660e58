"""The system calls that a program shut in may not make, as a filter for the kernel (classic BPF, see seccomp(2)).

They could get memory past the limits, make a way out of the namespaces, or look into other processes.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import Final

_ARCHITECTURES: Final = {
    # audit number, clone, then: mount umount2 pivot_root unshare setns ptrace process_vm_readv process_vm_writev
    # bpf userfaultfd perf_event_open keyctl add_key request_key memfd_create shmget socket open_by_handle_at mq_open
    "x86_64": (
        0xC000003E, 56,
        (165, 166, 155, 272, 308, 101, 310, 311, 321, 323, 298, 250, 248, 249, 319, 29, 41, 304, 240),
    ),
    "aarch64": (
        0xC00000B7, 220,
        (40, 39, 41, 97, 268, 117, 270, 271, 280, 282, 241, 219, 217, 218, 279, 194, 198, 265, 180),
    ),
}  # fmt: skip
# io_uring_setup open_tree move_mount fsopen mount_setattr memfd_secret: the same number on both
_EVERYWHERE: Final = (425, 428, 429, 430, 442, 447)
_CLONE3: Final = 435
FOR: Final = f"Linux on {' or '.join(_ARCHITECTURES)}"
"""Where a filter is known."""


def call_filter() -> bytes | None:
    """The filter for this machine, 8 bytes an instruction; None where none is known (`FOR` says where one is).

    It refuses the calls named above, other architectures' calls, and namespaces made by clone.
    """
    if sys.platform != "linux" or os.uname().machine not in _ARCHITECTURES:
        return None
    audit, clone, denied = _ARCHITECTURES[os.uname().machine]
    refuse, program = (0x06, 0, 0, 0x00050001), [(0x20, 0, 0, 4), (0x15, 1, 0, audit), (0x06, 0, 0, 0x80000000)]
    program += [(0x20, 0, 0, 0), (0x35, 0, 1, 0x40000000), refuse]
    for number in (*denied, *_EVERYWHERE):
        program += [(0x15, 0, 1, number), refuse]
    program += [(0x15, 0, 1, _CLONE3), (0x06, 0, 0, 0x00050026)]
    program += [(0x15, 0, 3, clone), (0x20, 0, 0, 16), (0x45, 0, 1, 0x7E020000), refuse, (0x06, 0, 0, 0x7FFF0000)]
    return b"".join(struct.pack("=HBBI", *line) for line in program)
