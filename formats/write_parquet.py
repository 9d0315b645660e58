"""`write.parquet`: rows as a dataset folder that a trainer, `load_dataset` and the Hub read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import FileOf
from ..core.errors import InputError, RunError, did_you_mean
from ..core.prefetching import prefetched
from ..core.registry import register
from ..core.stage import Context, Sink
from .card import About, Written, render_card
from .conversion import Conversion, Wider
from .dialect import Dialect
from .dialects import DIALECTS
from .rendering import Form
from .shards import Shard, Shards, publish, publish_text, staging

if TYPE_CHECKING:
    from ..core.frame import Frame


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
            seed = self.seed if self.seed is not None else ctx.seed
            conversion = Conversion(rows, DIALECTS[self.dialect], form, self.columns, self.test, seed)
            try:
                shards = self._files(conversion, staged, ctx)
                break
            except Wider as wider:
                form = self._wider(wider)
        written = self._written(conversion, shards)
        about = About(self.title, self.license, self.language, self.tags)
        card = render_card(ctx.view, written, about, Path(self.template) if self.template else None)
        publish(staged, folder / "data")
        publish_text(card, folder / "README.md")
        return _facts(folder, written, shards, form)

    def _files(self, conversion: Conversion, staged: Path, ctx: Context) -> dict[str, list[Shard]]:
        """Every split's files; reading, converting and encoding each have a thread."""
        open_ = {
            split: Shards(staged, split, conversion.schema, file_rows=self.rows_per_file,
                          file_bytes=self.bytes_per_file, compression=self.compression)
            for split in conversion.splits
        }  # fmt: skip
        try:
            for tables in prefetched(conversion.tables()):
                for shards, table in zip(open_.values(), tables, strict=True):
                    shards.add(table)
                if ctx.stop_asked():
                    raise RunError("interrupted: the dataset written before, if any, is untouched")
            return {split: shards.close() for split, shards in open_.items()}
        finally:
            for shards in open_.values():
                shards.abandon()

    def _written(self, conversion: Conversion, shards: Mapping[str, list[Shard]]) -> Written:
        """What the card says of the pass."""
        counts = {split: sum(shard.rows for shard in found) for split, found in shards.items()}
        facts, left_out, doc = conversion.statistics.facts(), dict(conversion.left_out), DIALECTS[self.dialect].doc
        return Written(self.dialect, doc, counts, conversion.schema, facts, left_out)

    def _wider(self, wider: Wider) -> Form:
        if self.form == "text" and not wider.form.text and "messages" in DIALECTS[self.dialect].forms:
            cause = "form: text would lose turns, roles, tool calls or images of some rows"
            raise InputError(cause, place="write.parquet", hint="use form: messages, or auto")
        return wider.form


def _first_form(asked: str, dialect: Dialect, schema: pa.Schema) -> Form:
    if asked == "auto" and "prompt" in schema.names:
        plain = (schema.field("prompt").metadata or {}).get(b"form") == b"text"
    else:
        plain = asked == "text"
    return Form(text="text" in dialect.forms and (plain or dialect.forms == ("text",)))


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
