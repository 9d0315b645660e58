"""`read.rows`: rows of any make, seeds and documents as well as answers with their feedback."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final, Literal, final

import pyarrow as pa

from ..core.registry import register
from ..core.row import COLUMNS
from ..core.stage import Source
from .answers import answer_lists, answers_of, is_answer
from .assembly import Assembly, Sight, assembled, sighted, with_texts
from .dialogues import is_prompt, messages_of
from .hub_tables import open_tables
from .pair_columns import Arrays, Group
from .parting import without_last_cue
from .tables import Tables, faults_of

_CONTENT: Final = ("prompt", "chosen", "rejected")


@final
@register("read.rows")
class ReadRows(Source):
    """Rows from Parquet, Arrow, Feather, JSON lines, JSON, CSV, TSV or TFRecord (packed or not), a folder or glob
    of them, a folder saved by `datasets`, or a dataset of the Hugging Face Hub.

    Columns keep their names and types. `prompt` becomes messages, `chosen`, `rejected` and the items of
    `candidates` answers, `images` or `image` a list of images, `id` the `source_id`; a column with another
    reserved name and a type of its own is called `source_<name>`.
    """

    path: str
    """A file, folder or glob (relative to the working directory), or a Hub id such as owner/name."""
    columns: dict[str, str] = {}
    """Ours: theirs, as in `prompt: instruction`; theirs may be a path into an object, as in `extra.text`."""
    split: str = "train"
    """The split of a Hub dataset, a saved folder, or a folder of `train-00000-of-…` files."""
    config: str = ""
    """The configuration of a Hub dataset; empty = its default."""
    revision: str = "main"
    """The branch, tag or commit of a Hub dataset."""
    bad_lines: Literal["fail", "drop"] = "fail"
    """A malformed line: stop there, or keep an empty row that names the fault in `read_error`, for
    `filter.rules` to drop."""

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
        """A missing file, or mapped columns that are not there."""
        return faults_of(self.schema_names)

    def _tables(self) -> Tables:
        return open_tables(self.path, self.split, self.config, self.revision, self.bad_lines == "drop")

    def _assembly(self, exact: bool) -> Assembly:
        sight = sighted(self._tables(), self.columns, exact)
        sight = with_texts(sight, self.columns, [name for name in _CONTENT if name in sight.view.fields])
        groups = [Group((name,), (name,), make) for name, make in _makers(sight).items()]
        consumed = [group.makes[0] for group in groups]
        fields = {name: pa.field(name, COLUMNS[name]) for name in consumed}
        if "prompt" in fields and sight.holds_text("prompt"):
            fields["prompt"] = fields["prompt"].with_metadata({b"form": b"text"})
        if self.bad_lines == "drop":
            groups.append(Group(("read_error",), ("read_error",), lambda arrays: {"read_error": arrays["read_error"]}))
            fields["read_error"] = pa.field("read_error", pa.string())
        return assembled(sight, groups, fields, consumed)


def _makers(sight: Sight) -> dict[str, Callable[[Arrays], Arrays]]:
    """How to make the content columns that are there in a type that can be understood."""
    found: dict[str, Callable[[Arrays], Arrays]] = {}
    kinds = {name: field.type for name, field in sight.view.fields.items()}
    prompt = kinds.get("prompt")
    if prompt is not None and is_prompt(prompt):
        form = sight.forms.get("prompt", "")
        found["prompt"] = lambda arrays: {"prompt": without_last_cue(messages_of(arrays["prompt"], "user", form))}
    for name in ("chosen", "rejected"):
        if name in kinds and is_answer(kinds[name]):
            found[name] = _answering(name, sight.forms.get(name, ""))
    listed = kinds.get("candidates")
    if listed is not None and pa.types.is_list(listed) and is_answer(listed.value_type):
        found["candidates"] = lambda arrays: {"candidates": answer_lists(arrays["candidates"])}
    return found


def _answering(name: str, form: str) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {name: answers_of(arrays[name], form)}
