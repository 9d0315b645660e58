"""The seven shapes of a stage: abstract, a method each. A stage is final, and data: fields are options, help, key."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, final

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from .declared import Column, ModelOf, StageOf, filled_in

if TYPE_CHECKING:
    from .frame import Frame
    from .narrow import Narrow
    from .view import RunView

Row = dict[str, Any]
Columns = Mapping[str, pa.Array]


@final
@dataclass(frozen=True)
class Drop:
    """A `Map` gives this instead of rows: why the row goes, and the values that decided."""

    reason: str
    values: Mapping[str, str | int | float | bool | None] | None = None


@final
class Dropped(Exception):
    """Raised anywhere beneath `Map.map`: the row goes, for this reason. The same as giving back a `Drop`."""

    def __init__(self, reason: str, values: Mapping[str, str | int | float | bool | None] | None = None) -> None:
        super().__init__(reason)
        self.drop = Drop(reason, values)


class Context(Protocol):
    """What a stage is handed at run time."""

    @property
    def models(self) -> Mapping[str, Any]:
        """Loaded models by nickname; paid ones are journalled, metered and throttled."""

    @property
    def seed(self) -> int:
        """The recipe's seed."""

    @property
    def view(self) -> RunView:
        """The run so far: counts, ledgers and the rows of earlier stages."""

    @property
    def out(self) -> str:
        """The run folder's path, for what a sink leaves behind."""

    def rng(self, row_id: str) -> random.Random:
        """A generator that depends on (seed, stage, row) alone."""

    def stop_asked(self) -> bool:
        """True once the run is being interrupted: long work should end soon."""


class Stage(BaseModel, ABC):
    """Common ground: frozen, validated, with declared columns, paper and extra."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True)

    name: ClassVar[str] = ""
    shape: ClassVar[str] = ""
    version: ClassVar[int] = 1
    """Part of the cache key: raise it when results change."""
    reads: ClassVar[tuple[str, ...]] = ()
    """Columns needed; `{field}` is filled from the stage's own fields, a trailing `?` is optional."""
    writes: ClassVar[tuple[Column | str, ...]] = ()
    paper: ClassVar[str] = "house"
    extra: ClassVar[str] = ""
    """The pip extra this stage needs."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Modules of that extra, looked for when the recipe is checked."""

    def columns_read(self) -> tuple[str, ...]:
        """Names of `reads` with fields filled in; an optional one keeps its `?`."""
        return tuple(name for template in self.reads for name in filled_in(template, self))

    def columns_written(self) -> tuple[Column, ...]:
        """`writes` with fields filled in."""
        columns = [Column(entry) if isinstance(entry, str) else entry for entry in self.writes]
        return tuple(
            Column(name, column.doc, column.type, column.unit, column.low, column.high, column.better)
            for column in columns
            for name in filled_in(column.name, self)
        )

    def models_named(self) -> tuple[str, ...]:
        """Nicknames of the models this stage's options name."""
        return self._marked(ModelOf)

    def stages_named(self) -> tuple[str, ...]:
        """Names of the earlier stages this stage's options name."""
        return self._marked(StageOf)

    def _marked(self, kind: type[ModelOf] | type[StageOf]) -> tuple[str, ...]:
        names: list[str] = []
        for option, info in type(self).model_fields.items():
            if any(isinstance(mark, kind) for mark in info.metadata):
                value = getattr(self, option)
                names += value if isinstance(value, (list, tuple)) else [value]
        return tuple(name for name in names if name)

    def calls_a_row(self) -> float:
        """Most paid calls one row can take, for `rather plan`."""
        return 0.0

    def materials(self) -> tuple[str, ...]:
        """Digests of what else decides a result (templates, word lists): part of the cache key."""
        return ()

    def faults(self) -> Sequence[str]:
        """Mistakes only this stage can see (files, combinations of options); empty when sound."""
        return ()


class Source(Stage):
    """Where rows begin."""

    shape: ClassVar[str] = "source"

    @abstractmethod
    def batches(self, columns: Collection[str] | None = None) -> Iterator[pa.Table]:
        """Rows in source order; `columns` limits what must be present (None = all)."""

    @abstractmethod
    def schema_names(self) -> Sequence[str]:
        """The columns rows will have, found without reading the whole source."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Changes when the source's content may have changed (name, size, time or digest)."""

    def replayable(self) -> bool:
        """True when reading again is as cheap as reading a copy, so that none is kept."""
        return False

    def rows_expected(self) -> int | None:
        """How many rows there are, when that is cheap to know."""
        return None

    def file_names(self) -> Sequence[str]:
        """The files behind `place.file`; rows are numbered through all of them in order."""
        return (self.name,)


class Map(Stage):
    """One row to none, one or many; may call models."""

    shape: ClassVar[str] = "map"

    @abstractmethod
    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        """The rows that take this row's place, or why there are none."""


class Score(Stage):
    """New columns, vectorised over a batch; may call models."""

    shape: ClassVar[str] = "score"

    @abstractmethod
    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        """The columns of `writes`, one value a row, each independent of the other rows."""


class Fit(Stage):
    """New columns from one look at the whole set's narrow columns; small heads allowed."""

    shape: ClassVar[str] = "fit"

    @abstractmethod
    def fit(self, narrow: Narrow, ctx: Context) -> Columns:
        """The columns of `writes`, one value for each row of `narrow`, in its order."""


class Gate(Stage):
    """Keep or drop, vectorised, from columns already written; no models."""

    shape: ClassVar[str] = "gate"

    @abstractmethod
    def why_drop(self, batch: pa.Table) -> pa.Array:
        """Strings [n]: why a row goes; null = keep."""


class Select(Stage):
    """Keep or drop with a view of the whole set's narrow columns; no models."""

    shape: ClassVar[str] = "select"

    @abstractmethod
    def select(self, narrow: Narrow) -> pa.Array:
        """Strings [n] in the order of `narrow`: why a row goes; null = keep."""


class Sink(Stage):
    """Leaves something behind; rows pass through unchanged."""

    shape: ClassVar[str] = "sink"

    @abstractmethod
    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts about what was left behind (paths, counts, figures), plain JSON values."""


SHAPES: tuple[type[Stage], ...] = (Source, Map, Score, Fit, Gate, Select, Sink)
