"""`read.images`: photos of subjects as rows, each an answer to a prompt that names what it shows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.errors import InputError
from ..core.hashing import digest
from ..core.registry import register
from ..core.row import COLUMNS
from ..core.stage import Source
from .albums import Album, album, manifest_of
from .naming import passed_name
from .photo_prompts import own_prompts, template_faults, unnamed
from .photo_rows import PhotoRows, prompt_tables
from .prompt_lists import PromptLists, prompt_lists

_NO_LISTS: Final = PromptLists({}, {})


@final
@register("read.images")
class ReadImages(Source):
    """Photos from a folder (a sub-folder a subject), from a manifest, or from a benchmark of subjects.

    A row a photo: `chosen` is the photo, `images` other photos of the same subject, `prompt` names what
    it shows; `subject`, `class_name`, `source_id` (the path) and the manifest's other columns stand
    beside. A file that cannot be read, is empty or is no picture keeps its row, without the photo; its
    `read_error` says what is wrong, and `filter.rules` drops it. Pixels are not decoded here.

    `rows: prompts` gives a row for each subject and prompt of the benchmark instead (`prompts.jsonl`,
    or DreamBench's `prompts_and_classes.txt`): `prompt` and `images`, for a painter to go on with.
    """

    paper = "house; DreamBench: Ruiz et al., arXiv 2208.12242"

    path: str
    """A folder of pictures, or a manifest: JSON lines, JSON, CSV, TSV, Parquet or Arrow with a column of paths."""
    rows: Literal["photos", "prompts"] = "photos"
    """A row a photo, or a row for each subject and prompt of the benchmark."""
    prompt: str = ""
    """The prompt of a photo; {subject}, {class_name}, {a} (a or an) and columns of the manifest are filled
    in. Empty = the manifest's prompt, caption or text, or the text file of the photo's name beside it, else
    "a photo of {a} {class_name}"."""
    token: str = ""
    """What names the subject in a benchmark's prompts, before the class, as in [V]; empty = nothing."""
    references: Annotated[int, Field(ge=0, le=64)] = 1
    """Most photos in `images`: the next ones of the same subject, in order. A subject's only photo is its own."""
    class_name: str = ""
    """The class of photos that lie in no sub-folder."""
    file_column: str = ""
    """The manifest's column of paths; empty = file_name, file, path, image_path, filename or image."""

    def batches(self, columns: Collection[str] | None = None) -> Iterator[pa.Table]:
        """Rows in the order of the manifest, or of the paths; about 4 MiB of photos at once."""
        fields = self._fields
        schema = pa.schema([fields[name] for name in fields if columns is None or name in columns])
        if self.rows == "prompts":
            return prompt_tables(self._album, self._asked, self.references, schema)
        return PhotoRows(self._album, self.prompt, self.references, self._passed).tables(schema)

    def schema_names(self) -> Sequence[str]:
        """The columns rows will have."""
        return list(self._fields)

    def fingerprint(self) -> str:
        """Names, sizes and times of the photos, what the manifest tells, and the prompt lists."""
        lists = sorted((subject, *texts) for subject, texts in self._lists.prompts.items())
        told = self._album.told.to_pylist()
        return digest(*self._album.stamps(), str(told), str(lists), *self._album.subjects, *self._album.classes)

    def replayable(self) -> bool:
        """True: the photos lie there already."""
        return True

    def rows_expected(self) -> int:
        """How many photos, or subjects times prompts."""
        return len(self._album.names) if self.rows == "photos" else len(self._asked)

    def file_names(self) -> Sequence[str]:
        """The folder or manifest."""
        return [self.path]

    def faults(self) -> Sequence[str]:
        """No photo, no class, no prompts, or a prompt with unknown parts."""
        try:
            if self.rows == "prompts" and not self._asked:
                return ["no prompts for these subjects: prompts.jsonl or prompts_and_classes.txt must lie beside them"]
            found = self._album
        except InputError as error:
            return [error.show()]
        if unnamed(found, self.prompt):
            return ["photos in no sub-folder have no class: give class_name, or a prompt"]
        return template_faults(self.prompt, found.told.column_names)

    @property
    def _home(self) -> Path:
        here = Path(self.path).expanduser()
        inner = here / "dataset"
        return inner if inner.is_dir() and manifest_of(here) is None else here

    @cached_property
    def _lists(self) -> PromptLists:
        folder = self._home if self._home.is_dir() else self._home.parent
        return prompt_lists(folder) or _NO_LISTS

    @cached_property
    def _album(self) -> Album:
        return album(self._home, self.file_column, self._lists.classes, self.class_name)

    @cached_property
    def _asked(self) -> list[tuple[str, str]]:
        subjects = self._album.by_subject()
        return [(subject, text) for subject in subjects for text in self._lists.filled(subject, self.token)]

    @cached_property
    def _passed(self) -> dict[str, str]:
        """Our names of the manifest's columns, by theirs: all but its prompts."""
        taken = {"prompt", "images", "chosen", "subject", "class_name", "source_id", "read_error"}
        names: dict[str, str] = {}
        for field in self._album.told.schema:
            name = passed_name(field.name, field.type)
            while name in taken:
                name = f"source_{name}"
            taken.add(name)
            names[field.name] = name
        names.pop(own_prompts(self._album, self.prompt), None)
        return names

    @cached_property
    def _fields(self) -> dict[str, pa.Field]:
        made = ["prompt", "images", "chosen"] if self.rows == "photos" else ["prompt", "images"]
        fields = {name: pa.field(name, COLUMNS[name]) for name in made}
        fields["prompt"] = fields["prompt"].with_metadata({b"form": b"text"})
        fields |= {name: pa.field(name, pa.string()) for name in ("subject", "class_name", "source_id")}
        if self.rows == "photos":
            told = self._album.told.schema
            fields |= {ours: told.field(theirs).with_name(ours) for theirs, ours in self._passed.items()}
            fields["read_error"] = pa.field("read_error", pa.string())
        return fields
