"""`write.parquet`: rows as a dataset folder that a trainer, `load_dataset` and the Hub read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ..core.byte_hashing import mix
from ..core.declared import FileOf
from ..core.errors import InputError, RunError, did_you_mean
from ..core.prefetching import prefetched
from ..core.registry import register
from ..core.row import flat
from ..core.stage import Context, Sink
from .card import About, Written, render_card
from .dialect import Dialect
from .dialects import DIALECTS
from .features import with_features
from .rendering import Form
from .shards import Shard, Shards, publish, publish_text, staging
from .statistics import Statistics

if TYPE_CHECKING:
    from ..core.frame import Frame

_PROBE: Final = 64
_BATCH_ROWS: Final = 32_768
_BATCH_BYTES: Final = 32 << 20


@final
@register("write.parquet")
class WriteParquet(Sink):
    """Write rows as a dataset folder: `README.md` (its card) and `data/SPLIT-00000-of-0000N.parquet`.

    Beside the trainer's columns stand `id` and every score. The bytes depend on the rows and the
    options alone; the folder is replaced whole or not at all.
    """

    reads = ("{needed}", "prompt_hash", "id?")

    path: str = "data"
    """The dataset's folder; a relative path is taken from the run folder."""
    dialect: str = "trl_preference"
    """The trainer's layout: trl_preference, trl_implicit, trl_reward, trl_kto, trl_sft, trl_stepwise, trl_vlm,
    diffusion_dpo, sfo_quad, rlaif_v, llava_dpo, llava_critic, llava_critic_pointwise, soli_cross, or rather
    (our own columns)."""
    form: Literal["auto", "text", "messages"] = "auto"
    """Conversations as strings or as lists of messages; auto = strings if the source's prompts were
    and nothing (a turn, a role, an image) would be lost."""
    test: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the prompts (0 to 1, expected) that goes to a test split; a prompt never stands in both."""
    seed: int | None = None
    """Which prompts are tested; the recipe's seed if not given."""
    columns: tuple[str, ...] = ()
    """More columns to keep."""
    rows_per_file: Annotated[int, Field(ge=1)] | None = None
    """Largest number of rows in a file."""
    bytes_per_file: Annotated[int, Field(ge=1)] = 256 << 20
    """Bytes after which a file is closed and the next begun (at the end of a row group)."""
    compression: Literal["zstd", "snappy", "gzip", "lz4", "none"] = "zstd"
    """Parquet compression."""
    license: str | None = None
    """Licence identifier for the card; the sources' declared one if not given."""
    language: tuple[str, ...] = ()
    """Language codes for the card."""
    title: str = ""
    """Title of the card; the recipe's name if empty."""
    tags: tuple[str, ...] = ()
    """More tags for the card."""
    template: Annotated[str | None, FileOf()] = None
    """A Jinja template that replaces the card's layout."""

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns the dialect reads, and those asked for."""
        known = DIALECTS.get(self.dialect)
        return tuple(dict.fromkeys([*(name for name in (known.reads if known else ()) if name != "*"), *self.columns]))

    def faults(self) -> Sequence[str]:
        """An unknown dialect, or a form it does not have."""
        if self.dialect not in DIALECTS:
            return [f"no dialect called {self.dialect}; {did_you_mean(self.dialect, DIALECTS)}"]
        forms = DIALECTS[self.dialect].forms
        if self.form != "auto" and self.form not in forms:
            return [f"{self.dialect} cannot be written as {self.form}; use form: {forms[0]}"]
        return []

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: path, card, files, rows by split, bytes, rows left out by reason, statistics."""
        folder = Path(ctx.out) / self.path
        if {"prompt_chosen", "prompt_rejected"} & set(rows.schema.names) and not DIALECTS[self.dialect].across:
            cause = f"these pairs stand across prompts, which {self.dialect} would read as answers to one"
            raise InputError(cause, place="write.parquet", hint="use dialect: soli_cross, for reward models")
        staged = staging(folder / "data")
        form = _first_form(self.form, DIALECTS[self.dialect], rows.schema)
        while True:
            writing = _Writing(self, rows, form, self.seed if self.seed is not None else ctx.seed)
            try:
                shards = writing.run(staged, ctx)
                break
            except _Wider as wider:
                form = self._wider(wider)
        written = writing.written(shards)
        about = About(self.title, self.license, self.language, self.tags)
        card = render_card(ctx.view, written, about, Path(self.template) if self.template else None)
        publish(staged, folder / "data")
        publish_text(card, folder / "README.md")
        return _facts(folder, written, shards, form)

    def _wider(self, wider: _Wider) -> Form:
        if self.form == "text" and not wider.form.text and "messages" in DIALECTS[self.dialect].forms:
            cause = "form: text would lose turns, roles, tool calls or images of some rows"
            raise InputError(cause, place="write.parquet", hint="use form: messages, or auto")
        return wider.form


@final
class _Writing:
    """One pass over the rows in one form."""

    def __init__(self, stage: WriteParquet, rows: Frame, form: Form, seed: int) -> None:
        self._stage, self._rows, self._form, self._seed = stage, rows, form, seed
        self._dialect = DIALECTS[stage.dialect]
        self._fields = {field.name: field for field in rows.schema}
        self._beside = _beside(rows.schema, stage.columns)
        self._statistics = Statistics([name for name in self._beside if _is_number(self._fields[name].type)])
        self._left_out: Counter[str] = Counter()
        self._schema = self._output(rows.schema.empty_table().select(self._columns())).schema

    def run(self, staged: Path, ctx: Context) -> dict[str, list[Shard]]:
        """Write every split's files; reading, converting and encoding each have a thread."""
        splits = ("train", "test") if self._stage.test else ("train",)
        stage, schema = self._stage, self._schema
        open_ = {
            split: Shards(staged, split, schema, file_rows=stage.rows_per_file, file_bytes=stage.bytes_per_file,
                          compression=stage.compression)
            for split in splits
        }  # fmt: skip
        try:
            for tables in prefetched(self._converted(splits)):
                for shards, table in zip(open_.values(), tables, strict=True):
                    shards.add(table)
                if ctx.stop_asked():
                    raise RunError("interrupted: the dataset written before, if any, is untouched")
            return {split: shards.close() for split, shards in open_.items()}
        finally:
            for shards in open_.values():
                shards.abandon()

    def written(self, shards: Mapping[str, list[Shard]]) -> Written:
        """What the card says of this pass."""
        counts = {split: sum(shard.rows for shard in found) for split, found in shards.items()}
        named = self._dialect
        return Written(named.name, named.doc, counts, self._schema, self._statistics.facts(), dict(self._left_out))

    def _columns(self) -> list[str]:
        if "*" in self._dialect.reads:
            return list(self._fields)
        reads = [name.rstrip("?") for name in self._dialect.reads]
        return [name for name in dict.fromkeys([*reads, *self._beside, "prompt_hash"]) if name in self._fields]

    def _converted(self, splits: Sequence[str]) -> Iterator[list[pa.Table]]:
        for batch in self._rows.batches(self._columns(), self._batch_rows()):
            table = self._fitting(batch)
            wider = self._form.carrying(table)
            if wider != self._form and "messages" in self._dialect.forms:
                raise _Wider(wider)
            self._statistics.add(table)
            if len(splits) == 1:
                yield [self._output(table)]
            else:
                tested = _tested(table, self._stage.test, self._seed)
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
            self._left_out[entry["values"].as_py()] += entry["counts"].as_py()
        return batch.filter(reasons.is_null())

    def _output(self, table: pa.Table) -> pa.Table:
        out = self._dialect.convert(table, self._form, self._beside)
        fields = [pa.field(f.name, f.type, metadata=_described(self._fields.get(f.name))) for f in out.schema]
        return out.cast(with_features(pa.schema(fields)))


class _Wider(Exception):  # not an error: the pass begins again in a form that carries all rows
    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form


def _first_form(asked: str, dialect: Dialect, schema: pa.Schema) -> Form:
    if asked == "auto" and "prompt" in schema.names:
        plain = (schema.field("prompt").metadata or {}).get(b"form") == b"text"
    else:
        plain = asked == "text"
    return Form(text="text" in dialect.forms and (plain or dialect.forms == ("text",)))


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


def _facts(folder: Path, written: Written, shards: Mapping[str, list[Shard]], form: Form) -> dict[str, Any]:
    files = [asdict(shard) for found in shards.values() for shard in found]
    return {
        "path": str(folder),
        "card": str(folder / "README.md"),
        "dialect": written.dialect,
        "form": "text" if form.text else "messages",
        "rows": dict(written.rows),
        "left_out": dict(written.left_out),
        "bytes": sum(file["bytes"] for file in files),
        "files": files,
        "statistics": dict(written.statistics),
    }
