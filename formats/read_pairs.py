"""`read.pairs`: preference pairs of every common make as rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Literal, final

import pyarrow as pa

from ..core.errors import InputError
from ..core.registry import register
from ..core.stage import Source
from .assembly import Assembly, assembled, sighted, with_texts
from .hub_tables import open_tables
from .labels import Meaning
from .layouts import LayoutName, detect
from .pair_columns import PairColumns, types_of
from .tables import Tables, faults_of


@final
@register("read.pairs")
class ReadPairs(Source):
    """Preference pairs from Parquet, Arrow, Feather, JSON lines, JSON, CSV, TSV or TFRecord (packed or not), a
    folder or glob of them, a folder saved by `datasets`, or a dataset of the Hugging Face Hub.

    Writes `prompt`, `chosen`, `rejected`, `verdict` ("prefer" or "tie"), `source_id`, `images` where
    there are some, and every other column under its own name (`source_<name>` where that is reserved).

    Layouts, found by column names in this order unless `layout` says which:

    - `explicit`: `chosen`, `rejected` (ImageRewardDB: `img_better`, `img_worse`) and a prompt (`prompt`,
      `instruction` with `input`, `question`, `query`, `conversations`, `history`, `context`, `caption`, `post`
      or `input`), with `system` before it.
    - `implicit`: `chosen` and `rejected` are whole dialogues; the prompt is what they begin with, cut
      back to the last assistant turn. Also taken when a prompt stands beside whole transcripts.
    - `labelled`: two answers (`response_a`/`response_b`, `output_1`/`output_2`, `human_ref_A`/`_B`,
      `conversation_a`/`_b`, `jpg_0`/`jpg_1`, …) and a label (`preference`, `label`, `winner`,
      `overall_preference`, `better_response_id`, …); the better becomes `chosen`, ties keep their order.
      `model_a`/`model_b` (`model_0`/`model_1`) say who made them; where Pick-a-Pic's `has_label` is false there
      is no label.

    Prompts and answers may be strings, `Human: … Assistant: …` transcripts, {role, content} or
    {from, value} messages (content may be text and image parts), their JSON, or images.
    Empty answers stay empty. HH-RLHF: Bai et al. 2022; SHP: Ethayarajh et al. 2022.
    """

    path: str
    """A file, folder or glob (relative to the working directory), or a Hub id such as owner/name."""
    columns: dict[str, str] = {}
    """Ours: theirs. Ours may be prompt, chosen, rejected, first, second, label, source_id, gold or any other
    name; theirs may be a path into an object, as in `extra.gold`."""
    layout: LayoutName = "auto"
    """Where the pair stands: auto, explicit, implicit or labelled."""
    label_means: Meaning = "auto"
    """Numbers in the label: one_two (1, 2, 0 = tie), zero_one (index of the better), first_wins (1 = the first),
    sign (negative = the first); auto goes by the columns' names."""
    split: str = "train"
    """The split of a Hub dataset, a saved folder, or a folder of `train-00000-of-…` files."""
    config: str = ""
    """The configuration of a Hub dataset; empty = its default."""
    revision: str = "main"
    """The branch, tag or commit of a Hub dataset."""
    bad_lines: Literal["fail", "drop"] = "fail"
    """A malformed line or a label that tells nothing: stop there, or keep an empty row that names the fault in
    `read_error`, for `filter.rules` to drop."""

    def batches(self, columns: Collection[str] | None = None) -> Iterator[pa.Table]:
        """Rows in the order of files and lines."""
        yield from self._assembly(exact=True).batches(columns)

    def schema_names(self) -> Sequence[str]:
        """The columns that the first rows give."""
        return list(self._assembly(exact=False).fields)

    def fingerprint(self) -> str:
        """Names, sizes and times of the files, or the Hub's commit."""
        return self._tables().fingerprint()

    def replayable(self) -> bool:
        """True of local Parquet and Arrow."""
        return self._tables().replayable()

    def rows_expected(self) -> int | None:
        """Rows of Parquet, Arrow, saved folders and small JSON lines; null of all else."""
        return self._tables().rows()

    def file_names(self) -> Sequence[str]:
        """The files, or the Hub id with its revision."""
        return self._tables().names()

    def faults(self) -> Sequence[str]:
        """A missing file, mapped columns that are not there, no pair to be found."""
        return faults_of(self.schema_names)

    def _tables(self) -> Tables:
        return open_tables(self.path, self.split, self.config, self.revision, self.bad_lines == "drop")

    def _assembly(self, exact: bool) -> Assembly:
        sight = sighted(self._tables(), self.columns, exact)
        if not sight.view.fields:
            raise InputError("it holds no rows", place=self.path, hint="is it the right file?")
        layout = detect(sight.view.fields, sight.forms, self.layout)
        if self.label_means != "auto" and layout.label is not None:
            layout = replace(layout, meaning=self.label_means)
        sight = with_texts(sight, self.columns, layout.content())
        pairs = PairColumns(layout, sight.forms, self.bad_lines == "drop")
        groups = pairs.groups()
        made = types_of([name for group in groups for name in group.makes])
        fields = {name: pa.field(name, kind) for name, kind in made.items()}
        plain = layout.prompt is not None and not layout.spoken and layout.system is None
        if plain and sight.holds_text(layout.prompt or ""):
            fields["prompt"] = fields["prompt"].with_metadata({b"form": b"text"})
        return assembled(sight, groups, fields, layout.consumed())
