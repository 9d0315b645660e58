"""`read.rich_feedback`: pictures with four scores, maps of where they are flawed, and labels of the prompt's words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, final

import pyarrow as pa

from ..core.errors import InputError, did_you_mean
from ..core.registry import register
from ..core.row import COLUMNS, IMAGE
from ..core.stage import Source
from .answers import is_image
from .hub_tables import open_tables
from .named_pictures import NamedPictures, caption_columns, captions, named_pictures, stem
from .photo_prompts import USUAL
from .rankings import messages
from .tables import Tables, faults_of

SCORES: Final = ("aesthetics_score", "artifact_score", "misalignment_score", "overall_score")
MAPS: Final = ("artifact_map", "misalignment_map")
LABELS: Final = "prompt_misalignment_label"
_PIECE: Final = 64
_USUAL: Final[Mapping[str, tuple[str, ...]]] = {
    "filename": ("filename", "file_name", "image_path", "uid"), "image": ("image", "jpg"), "prompt": USUAL,
}  # fmt: skip


@final
@register("read.rich_feedback")
class ReadRichFeedback(Source):
    """Rich feedback on pictures as RichHF-18K tells it, from its TFRecord files or the same columns in any other.

    A row a picture: `chosen` is the picture, `prompt` what it was painted for, `source_id` its file name;
    beside them the four scores, all of them higher = better (`artifact_score` too), `artifact_map` and
    `misalignment_map` (one channel, brighter = more flawed, for `mask.from_heatmap`) and
    `prompt_misalignment_label` (a label a word, 0 = missed, for `score.rich_tokens`).

    RichHF-18K names pictures of Pick-a-Pic and holds neither them nor their prompts: `images` is a folder of
    the pictures, `prompts` a table of the captions. A row whose picture or prompt is not found keeps its place
    with a `read_error`, which `filter.rules` drops.
    """

    paper = "Rich Human Feedback (RichHF-18K), CVPR 2024"

    path: str
    """A file (TFRecord, Parquet, JSON lines, …), folder or glob, or a Hub id such as owner/name."""
    images: str = ""
    """Folder of the pictures, each known by its name without folders and ending; empty = they stand in the rows."""
    prompts: str = ""
    """A table of captions, as Pick-a-Pic's (`caption`, `image_0_uid`, `image_1_uid`): a file, folder, glob or Hub
    id; empty = the rows' own prompt, or the text file of a picture's name beside it."""
    columns: dict[str, str] = {}
    """filename, image and prompt: the source's columns, where their names are not known ones."""
    split: str = "train"
    """The split of a Hub dataset, or of a folder of `train-00000-of-…` files."""
    config: str = ""
    """The configuration of a Hub dataset; empty = its default."""
    revision: str = "main"
    """The branch, tag or commit of a Hub dataset."""

    def batches(self, columns: Collection[str] | None = None) -> Iterator[pa.Table]:
        """Rows in the order of the source; pictures are read from their folder only where they are asked for."""
        whole = self._schema(self._tables.schema())
        schema = pa.schema([field for field in whole if columns is None or field.name in columns])
        reading = bool({"chosen", "prompt", "read_error"} & set(schema.names))
        pictures = named_pictures(self.images) if self.images and reading else None
        told = self._captions() if "prompt" in schema.names or "read_error" in schema.names else {}
        for table in self._tables.read(self._tables.schema()):
            for start in range(0, table.num_rows, _PIECE):
                rows = [self._row(row, pictures, told) for row in table.slice(start, _PIECE).to_pylist()]
                yield pa.Table.from_pylist([{n: row.get(n) for n in schema.names} for row in rows], schema=schema)

    def schema_names(self) -> Sequence[str]:
        """The columns rows will have."""
        return list(self._schema(self._tables.peek().schema).names)

    def fingerprint(self) -> str:
        """Names, sizes and times of the files and pictures, or the Hub's commit."""
        pictures = named_pictures(self.images).stamp() if self.images else ""
        return " ".join([self._tables.fingerprint(), pictures, self._prompts.fingerprint() if self.prompts else ""])

    def file_names(self) -> Sequence[str]:
        """The files, or the Hub id with its revision."""
        return self._tables.names()

    def faults(self) -> Sequence[str]:
        """A missing file or folder; no column of pictures, of file names, or of prompts."""
        return faults_of(self._look)

    def _look(self) -> None:
        place, there = self._place, ", ".join(self._tables.peek().column_names)
        if not self.images and "image" not in place:
            raise InputError("the rows hold no pictures", hint=f"give images, their folder; columns there are: {there}")
        if (self.images or self.prompts) and "filename" not in place:
            raise InputError("no column names the pictures", hint=f"map it by columns; there are: {there}")
        if not (self.prompts or self.images or "prompt" in place):
            raise InputError("the rows hold no prompts", hint=f"give prompts, a table of them; there are: {there}")
        pictures = named_pictures(self.images) if self.images else None
        if self.prompts:
            caption_columns(self._prompts.peek().schema)
        elif "prompt" not in place and pictures is not None and not pictures.captioned():
            hint = "give prompts, a table of captions by file name, or a text file beside each picture"
            raise InputError("neither the rows nor the folder of pictures hold prompts", hint=hint)

    def _row(self, row: Mapping[str, Any], pictures: NamedPictures | None, told: Mapping[str, str]) -> dict[str, Any]:
        place = self._place
        name = str(row.get(place.get("filename", "")) or "")
        image, fault = pictures.picture(name) if pictures else _embedded(row.get(place.get("image", "")))
        prompt = row.get(place.get("prompt", "")) or told.get(stem(name))
        if not prompt and pictures and not self.prompts:
            prompt = pictures.caption(name)
        found = {key: row.get(key) for key in (*SCORES, LABELS)} | {key: _map(row.get(key)) for key in MAPS}
        return found | {
            "prompt": messages(prompt) if prompt else None, "chosen": {"image": image} if image else None,
            "source_id": name or None, "read_error": fault or (None if prompt else "no prompt"),
        }  # fmt: skip

    def _captions(self) -> Mapping[str, str]:
        """The captions of the rows' pictures, by their names without folders and ending."""
        if not self.prompts or "prompt" in self._place:
            return {}
        column = self._place["filename"]
        schema = pa.schema([self._tables.schema().field(column)])
        wanted = {stem(str(name)) for table in self._tables.read(schema) for name in table[column].to_pylist() if name}
        return captions(self._prompts, wanted)

    def _schema(self, source: pa.Schema) -> pa.Schema:
        fields = [pa.field("prompt", COLUMNS["prompt"], metadata={b"form": b"text"})]
        fields += [pa.field(name, COLUMNS[name]) for name in ("chosen", "source_id")]
        fields += [pa.field(name, pa.float64()) for name in SCORES if name in source.names]
        for name in (*MAPS, LABELS):
            if name in source.names:
                kind = source.field(name).type
                image = name in MAPS and (is_image(kind) or pa.types.is_string(kind))
                fields.append(pa.field(name, IMAGE if image else kind))
        return pa.schema([*fields, pa.field("read_error", pa.string())])

    @cached_property
    def _tables(self) -> Tables:
        return open_tables(self.path, self.split, self.config, self.revision, False)

    @cached_property
    def _prompts(self) -> Tables:
        return open_tables(self.prompts, self.split, "", "main", False)

    @cached_property
    def _place(self) -> dict[str, str]:
        """The source's columns by what they hold: filename, image, prompt, of those that are there."""
        schema = self._tables.peek().schema
        for ours, theirs in self.columns.items():
            if ours not in _USUAL:
                raise InputError(f"columns: no place for {ours}", hint=f"known: {', '.join(_USUAL)}")
            if theirs not in schema.names:
                raise InputError(f"no column {theirs}", hint=did_you_mean(theirs, schema.names))
        shown = {name for name in schema.names if is_image(schema.field(name).type)}
        found = dict(self.columns)
        for ours, names in _USUAL.items():
            fits = (name for name in names if name in schema.names and (name in shown) == (ours == "image"))
            found.setdefault(ours, next(fits, ""))
        return {ours: theirs for ours, theirs in found.items() if theirs}


def _embedded(value: Any) -> tuple[dict[str, Any] | None, str]:
    image = {"bytes": value, "path": None} if isinstance(value, bytes) else value
    return (image, "") if image and (image.get("bytes") or image.get("path")) else (None, "no picture")


def _map(value: Any) -> Any:
    """A map as an image where it is a file's bytes or name; rows of numbers as they are."""
    if isinstance(value, bytes):
        return {"bytes": value, "path": None}
    return {"bytes": None, "path": value} if isinstance(value, str) else value
