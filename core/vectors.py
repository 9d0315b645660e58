"""Vectors that are dear to make, kept in Arrow shards by the digest of what they were made from."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from json import dumps
from pathlib import Path
from typing import Any, TypeVar, final

import numpy as np
import pyarrow as pa

from .errors import RowError
from .hashing import digest
from .row import arrow_vectors, numpy_vectors

K = TypeVar("K", str, bytes)


@final
class KeptEncoder:
    """An encoder whose vectors are stored: of each distinct input it is asked once, in all runs.

    Same interface as the encoder it stands before, and the same bytes; what else that one can do
    (patches, matching) it does itself.
    """

    persist = True

    def __init__(self, encoder: Any, identity: Mapping[str, Any], folder: Path) -> None:
        self._encoder = encoder
        self.name, self.dim = encoder.name, encoder.dim
        name = dumps(identity, sort_keys=True)
        self._vectors = VectorStore(folder / digest(name), encoder.dim)
        self._texts = VectorStore(folder / digest(name, "text"), encoder.dim)

    def encode(self, items: Sequence[Any]) -> np.ndarray:
        """float32 [n, dim] rows of images, or of the texts a text encoder reads. Raises as the encoder does."""
        return self._vectors.rows(items, self._encoder.encode)

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [n, dim] rows of texts, where the encoder reads both."""
        return self._texts.rows(texts, self._encoder.encode_text)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._encoder, name)


@final
class VectorStore:
    """Vectors by what they were made from, in shards of one call each. Threads may share it."""

    def __init__(self, folder: Path, dim: int) -> None:
        self._folder, self._dim = folder, dim
        self._places: dict[bytes, tuple[Path, int]] = {}
        self._claimed: set[bytes] = set()
        self._turn = threading.Condition()
        for shard in sorted(folder.glob("*.arrow")):
            self._enter(shard, _stored(shard, "key").to_pylist())

    def rows(self, items: Sequence[K], make: Callable[[Sequence[K]], np.ndarray]) -> np.ndarray:
        """float32 [n, dim]: the stored vectors, `make` being asked for those that are missing."""
        if isinstance(items, (str, bytes)) or not all(isinstance(item, (str, bytes)) for item in items):
            return make(items)  # says what is wrong with it
        keys = [_key(item) for item in items]
        once = dict(zip(keys, items, strict=True))
        while missing := self._claim(once):
            try:
                self._keep(missing, np.asarray(make([once[key] for key in missing]), np.float32))
            except RowError:
                if len(missing) < len(items):
                    make(items)  # says the place among all the inputs, not among the missing ones
                raise
            finally:
                self._release(missing)
        return self._read(keys)

    def _claim(self, wanted: Mapping[bytes, Any]) -> list[bytes]:
        """Those this thread is to make; waits while all that are missing are being made by others."""
        with self._turn:
            while True:
                missing = [key for key in wanted if key not in self._places]
                free = [key for key in missing if key not in self._claimed]
                if free or not missing:
                    self._claimed.update(free)
                    return free
                self._turn.wait()

    def _release(self, keys: Sequence[bytes]) -> None:
        with self._turn:
            self._claimed.difference_update(keys)
            self._turn.notify_all()

    def _keep(self, keys: list[bytes], vectors: np.ndarray) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        shard = self._folder / f"{digest(*keys)}.arrow"
        partial = shard.with_suffix(f".{os.getpid()}.{threading.get_ident()}.part")
        table = pa.table({"key": pa.array(keys, pa.binary(16)), "vector": arrow_vectors(vectors)})
        with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        partial.replace(shard)
        with self._turn:
            self._enter(shard, keys)

    def _enter(self, shard: Path, keys: Sequence[bytes]) -> None:
        self._places.update((key, (shard, row)) for row, key in enumerate(keys))

    def _read(self, keys: Sequence[bytes]) -> np.ndarray:
        found = np.empty((len(keys), self._dim), np.float32)
        shards: dict[Path, tuple[list[int], list[int]]] = {}
        for position, key in enumerate(keys):
            shard, row = self._places[key]
            positions, rows = shards.setdefault(shard, ([], []))
            positions.append(position)
            rows.append(row)
        for shard, (positions, rows) in shards.items():
            found[positions] = numpy_vectors(_stored(shard, "vector"))[rows]
        return found


def _key(item: str | bytes) -> bytes:
    data = item.encode("utf-8", "surrogatepass") if isinstance(item, str) else item
    return blake2b(data, digest_size=16).digest()


def _stored(shard: Path, column: str) -> pa.ChunkedArray:
    with pa.memory_map(str(shard)) as source, pa.ipc.open_file(source) as reader:
        return reader.read_all()[column]
