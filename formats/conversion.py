"""Rows turned into a dialect's columns, in one form and one pass: what is left out, counted, and split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.byte_hashing import mix
from ..core.row import flat
from .dialect import Dialect
from .features import with_features
from .rendering import Form
from .statistics import Statistics

if TYPE_CHECKING:
    from ..core.frame import Frame

_PROBE: Final = 64
_BATCH_ROWS: Final = 32_768
_BATCH_BYTES: Final = 32 << 20


@final
class Conversion:
    """Rows in the columns of a dialect: `tables` once, then `statistics` and `left_out` tell what went through.

    Beside the dialect's columns stand `id`, every score and the `columns` asked for. A prompt whose hash,
    mixed with the seed, falls below `test` is in the test split.
    """

    def __init__(
        self, rows: Frame, dialect: Dialect, form: Form, columns: Sequence[str], test: float, seed: int
    ) -> None:
        self._rows, self._dialect, self._form, self._test, self._seed = rows, dialect, form, test, seed
        self._fields = {field.name: field for field in rows.schema}
        self._beside = _beside(rows.schema, columns)
        self.statistics = Statistics([name for name in self._beside if _is_number(self._fields[name].type)])
        self.left_out: Counter[str] = Counter()
        self.schema = self._output(rows.schema.empty_table().select(self._columns())).schema

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that a table is given for."""
        return ("train", "test") if self._test else ("train",)

    def _columns(self) -> list[str]:
        if "*" in self._dialect.reads:
            return list(self._fields)
        reads = [name.rstrip("?") for name in self._dialect.reads]
        return [name for name in dict.fromkeys([*reads, *self._beside, "prompt_hash"]) if name in self._fields]

    def tables(self) -> Iterator[list[pa.Table]]:
        """A batch after the other: its rows of each split. Raises Wider where the form cannot carry all."""
        for batch in self._rows.batches(self._columns(), self._batch_rows()):
            table = self._fitting(batch)
            wider = self._form.carrying(table)
            if wider != self._form and "messages" in self._dialect.forms:
                raise Wider(wider)
            self.statistics.add(table)
            if not self._test:
                yield [self._output(table)]
            else:
                tested = _tested(table, self._test, self._seed)
                yield [self._output(table.filter(pa.array(mask))) for mask in (~tested, tested)]

    def _batch_rows(self) -> int:
        probe = next(iter(self._rows.batches(self._columns(), _PROBE)), None)
        each = probe.nbytes / probe.num_rows if probe is not None and probe.num_rows else 1
        return max(_PROBE, min(_BATCH_ROWS, int(_BATCH_BYTES / max(each, 1))))

    def _fitting(self, batch: pa.Table) -> pa.Table:
        reasons = self._dialect.unfit(batch)
        if reasons.null_count == len(reasons):
            return batch
        for entry in pc.value_counts(reasons.drop_null()):
            self.left_out[entry["values"].as_py()] += entry["counts"].as_py()
        return batch.filter(reasons.is_null())

    def _output(self, table: pa.Table) -> pa.Table:
        out = self._dialect.convert(table, self._form, self._beside)
        fields = [pa.field(f.name, f.type, metadata=_described(self._fields.get(f.name))) for f in out.schema]
        return out.cast(with_features(pa.schema(fields)))


class Wider(Exception):
    """No error: the pass is to begin again in the `form` that carries all rows."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form


def _beside(schema: pa.Schema, asked: Sequence[str]) -> list[str]:
    """`id`, the scores (plain numbers whose field names a scorer) and `margin`, then what is asked for."""
    scores = [f.name for f in schema if _is_number(f.type) and (f.name == "margin" or b"scorer" in (f.metadata or {}))]
    return [name for name in dict.fromkeys(["id", *scores, *asked]) if name in schema.names]


def _is_number(kind: pa.DataType) -> bool:
    if pa.types.is_uint64(kind):  # a hash
        return False
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def _described(field: pa.Field | None) -> dict[bytes, bytes] | None:
    found = {key: value for key, value in ((field.metadata if field else None) or {}).items() if key != b"form"}
    return found or None


def _tested(table: pa.Table, share: float, seed: int) -> np.ndarray:
    """bool [n]: rows whose prompt's hash, mixed with the seed, falls below the share."""
    salt = mix(np.array([seed % (1 << 64)], np.uint64))
    hashes = mix(flat(table["prompt_hash"]).to_numpy(zero_copy_only=False) ^ salt)
    return hashes < np.uint64(int(share * 2**64))
