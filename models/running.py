"""How encoders run: each distinct input once, sessions kept per process, work spread over cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ..core.errors import RowError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

T = TypeVar("T")
R = TypeVar("R")
K = TypeVar("K", str, bytes)


def each_once(inputs: Sequence[K], kind: type[K]) -> tuple[list[K], np.ndarray]:
    """The distinct inputs in order of first sight, and int64 [n]: which of them each input is.

    Raises RowError, naming the index, when an input is not a `kind`.
    """
    if isinstance(inputs, (str, bytes)):
        raise TypeError(f"a sequence of {kind.__name__} is needed, not one {type(inputs).__name__}")
    places: dict[K, int] = {}
    index = np.empty(len(inputs), np.int64)
    for i, value in enumerate(inputs):
        if not isinstance(value, kind):
            cause, hint = f"a {type(value).__name__} cannot be encoded", f"give {kind.__name__}"
            raise RowError(cause, place=f"input {i}", hint=hint)
        index[i] = places.setdefault(value, len(places))
    return list(places), index


def texts_once(texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """`each_once` of texts. Raises RowError, naming the index, also for one that is not valid Unicode."""
    distinct, index = each_once(texts, str)
    for k, text in enumerate(distinct):
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                place = f"input {int(np.argmax(index == k))}"
                cause = f"the text is not valid Unicode at character {error.start}"
                raise RowError(cause, place=place, hint="drop its lone surrogates") from error
    return distinct, index


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Rows [n, d] divided by their Euclidean lengths, float32; rows of zeros stay zeros."""
    lengths = np.sqrt(np.add.reduce(rows * rows, axis=1, keepdims=True))
    return (rows / np.where(lengths > 0, lengths, np.float32(1))).astype(np.float32, copy=False)


def workers() -> int:
    """How many cores to use: OMP_NUM_THREADS where it is a number, else all that are ours."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(work: Callable[[T], R], pieces: Sequence[T]) -> list[R]:
    """`work` on every piece, results in order, on `workers()` threads; raises the first error."""
    threads = min(workers(), len(pieces))
    if threads <= 1:
        return [work(piece) for piece in pieces]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, pieces))


def session(path: Path) -> InferenceSession:
    """The ONNX session of a file, made when first asked for and shared by all threads."""
    # A session does not survive a fork, so the process is part of the key.
    return _session(str(path), os.getpid())


@lru_cache(maxsize=8)
def _session(path: str, process: int) -> InferenceSession:
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    # One thread a run: `spread` fills the cores with whole inputs, which is twice as fast as
    # splitting each of them, and no sum is ever split differently on a larger machine.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return InferenceSession(path, options, providers=["CPUExecutionProvider"])
