"""Reading tables in step: dense and sparse cursors over batches, prefetching, and steady row groups."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .leaves import named_leaves, packings

S = TypeVar("S")
T = TypeVar("T")
GROUP_ROWS: Final = 65_536
GROUP_BYTES: Final = 64 << 20
READ_ROWS: Final = 16_384
_COUNTED: Final = ("pos", "place.row")  # they ascend: their differences take next to nothing
_END: Final = object()


@final
class Dense:
    """Tables holding every row, read forward n rows at a time."""

    def __init__(self, tables: Iterator[pa.Table]) -> None:
        self._tables, self._held, self._rows = tables, list[pa.Table](), 0

    def next(self, n: int) -> pa.Table:
        """The next n rows; fewer only at the end."""
        while self._rows < n:
            table = next(self._tables, None)
            if table is None:
                break
            self._held.append(table)
            self._rows += table.num_rows
        taken, parts = 0, list[pa.Table]()
        while self._held and (taken < n or not parts):
            table = self._held[0]
            part = table.slice(0, n - taken)
            parts.append(part)
            taken += part.num_rows
            if part.num_rows == table.num_rows:
                self._held.pop(0)
            else:
                self._held[0] = table.slice(part.num_rows)
                break
        self._rows -= taken
        if not parts:
            raise LookupError("the stored rows end early")
        return parts[0] if len(parts) == 1 else pa.concat_tables(parts)


@final
class Sparse:
    """Tables holding some rows, each with its position `pos` (ascending), read up to a bound."""

    def __init__(self, tables: Iterator[pa.Table]) -> None:
        self._tables, self._rest = tables, pa.table({})

    def at(self, positions: np.ndarray, bound: int) -> pa.Table:
        """The rows at these ascending positions, all below `bound`; earlier ones are passed over."""
        parts = []
        while True:
            if self._rest.num_rows:
                pos = self._rest["pos"].to_numpy()
                cut = int(np.searchsorted(pos, bound))
                if cut:
                    parts.append(self._rest.slice(0, cut))
                self._rest = self._rest.slice(cut)
                if self._rest.num_rows:
                    break
            table = next(self._tables, None)
            if table is None:
                break
            self._rest = table
        if not parts:
            return self._rest.slice(0, 0)
        found = parts[0] if len(parts) == 1 else pa.concat_tables(parts)
        if found.num_rows == len(positions):
            return found
        return found.take(pa.array(np.searchsorted(found["pos"].to_numpy(), positions)))


def parquet_tables(path: Path, columns: Sequence[str] | None = None, size: int = GROUP_ROWS) -> Iterator[pa.Table]:
    """A Parquet file as tables of at most `size` rows, one row group in memory at a time."""
    # Without buffers of a fixed size a whole row group's pages of every column are held at once.
    # Batches do not reach over the end of a group: groups of images are small, and many would be held.
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
        names = list(columns) if columns is not None else None
        for group in range(file.num_row_groups):
            for batch in file.iter_batches(min(size, READ_ROWS), row_groups=[group], columns=names):
                yield pa.Table.from_batches([batch])


@final
class Prefetched(Iterator[T]):
    """The same items, made `depth` ahead by a thread of their own; its errors arrive here.

    `close` may be called at any time, from any thread: a reader waiting for an item then ends.
    """

    def __init__(self, items: Iterable[T], depth: int = 2) -> None:
        self._box, self._left = queue.Queue[object](depth), threading.Event()
        # The thread holds no reference to the reader, so that one left unread ends it when it goes.
        threading.Thread(target=_fill, args=(items, self._box, self._left), daemon=True, name="prefetch").start()

    def __next__(self) -> T:
        while not self._left.is_set():
            with contextlib.suppress(queue.Empty):
                item = self._box.get(timeout=0.2)
                if item is _END:
                    self.close()
                elif isinstance(item, _Raised):
                    self.close()
                    raise item.error
                else:
                    return item  # type: ignore[return-value]
        raise StopIteration

    def __del__(self) -> None:
        self._left.set()

    def close(self) -> None:
        """Stop making items."""
        self._left.set()


def _fill(items: Iterable[object], box: queue.Queue[object], left: threading.Event) -> None:
    def put(item: object) -> bool:
        while not left.is_set():
            with contextlib.suppress(queue.Full):
                box.put(item, timeout=0.1)
                return True
        return False

    try:
        for item in items:
            if not put(item):
                return
        put(_END)
    except BaseException as error:  # handed over to the reader, whatever it is
        put(_Raised(error))


def prefetched(items: Iterable[T], depth: int = 2) -> Prefetched[T]:
    """Read ahead: see `Prefetched`."""
    return Prefetched(items, depth)


def concurrently(work: Callable[[S], T], items: Iterable[S], width: int) -> Iterator[T]:
    """`work` of every item in their order, done by `width` threads at once."""
    with ThreadPoolExecutor(width, thread_name_prefix="concurrently") as pool:
        waiting: deque[Future[T]] = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > width:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@final
class _Raised:
    def __init__(self, error: BaseException) -> None:
        self.error = error


@final
class Appender:
    """A Parquet file under construction: rows go in, row groups of steady size come out."""

    def __init__(self, path: Path, schema: pa.Schema | None = None) -> None:
        self._path, self._schema, self._writer = path, schema, None
        self._held: list[pa.Table] = []
        self._rows = self._bytes = 0
        self.total = 0

    def add(self, table: pa.Table) -> None:
        """Append rows; all tables must have the first one's columns."""
        if self._schema is None:
            self._schema = table.schema
        if not table.num_rows:
            return
        if table.schema != self._schema:
            table = table.select(self._schema.names).cast(self._schema)
        self._held.append(table)
        self._rows += table.num_rows
        self._bytes += table.nbytes
        self.total += table.num_rows
        while self._rows >= GROUP_ROWS:
            self._flush(GROUP_ROWS)
        if self._bytes >= GROUP_BYTES:
            self._flush(self._rows)

    def close(self) -> None:
        """Write what is held and the footer; an empty file still has its schema."""
        if self._rows:
            self._flush(self._rows)
        if self._writer is None and self._schema is not None:
            self._open()
        if self._writer is not None:
            self._writer.close()

    def _flush(self, rows: int) -> None:
        held = self._held[0] if len(self._held) == 1 else pa.concat_tables(self._held)
        group, rest = held.slice(0, rows), held.slice(rows)
        if self._writer is None:
            self._open()
        assert self._writer is not None
        self._writer.write_table(group.combine_chunks(), row_group_size=GROUP_ROWS)
        self._held = [rest] if rest.num_rows else []
        self._rows -= rows
        self._bytes = rest.nbytes if rest.num_rows else 0

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        assert self._schema is not None
        leaves = {name: "DELTA_BINARY_PACKED" for name in _COUNTED if name.split(".")[0] in self._schema.names}
        self._writer = pq.ParquetWriter(
            self._path, self._schema, compression=packings(self._schema), write_statistics=False,
            use_dictionary=named_leaves(self._schema), column_encoding=leaves,
        )  # fmt: skip
