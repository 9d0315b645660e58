"""Vectors that are dear to make, kept as content-addressed Arrow shards and never made twice."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import pyarrow as pa

from .hashing import digest
from .row import arrow_vectors, numpy_vectors

SHARD: Final = 256


@final
class KeptEncoder:
    """An encoder whose results are stored, `SHARD` inputs a file, named by what went in.

    Same interface as the encoder it stands before; results are the same bytes.
    """

    persist = True

    def __init__(self, encoder: Any, identity: Mapping[str, Any], folder: Path) -> None:
        self._encoder, self._folder = encoder, folder
        self._name = json.dumps(identity, sort_keys=True)
        self.name, self.dim = encoder.name, encoder.dim

    def encode(self, items: Sequence[str] | Sequence[bytes]) -> np.ndarray:
        """float32 [n, dim] unit rows, from the shards where they are there."""
        parts = [self._shard(items[start : start + SHARD]) for start in range(0, len(items), SHARD)]
        return np.concatenate(parts) if parts else np.empty((0, self.dim), np.float32)

    def _shard(self, items: Sequence[str] | Sequence[bytes]) -> np.ndarray:
        key = digest(self._name, *items)
        path = self._folder / key[:2] / f"{key}.arrow"
        if path.exists():
            with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
                return numpy_vectors(reader.read_all()["vector"]).copy()
        vectors = np.asarray(self._encoder.encode(items), np.float32)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.part")
        table = pa.table({"vector": arrow_vectors(vectors)})
        with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        partial.replace(path)
        return vectors
