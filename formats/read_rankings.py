"""`read.rankings`: several answers to a prompt, with the ranks or scores people or models gave them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import final

import pyarrow as pa

from ..core.registry import register
from ..core.row import COLUMNS
from ..core.stage import Source
from .hub_tables import open_tables
from .rankings import Ranked, grouped, pictured, ranked
from .tables import Tables, faults_of

PIECE = 64
"""Prompts a table: with images a table stays small."""
_TRIED = 16


@final
@register("read.rankings")
class ReadRankings(Source):
    """A row a prompt with its answers as `candidates` and every rank or score as a list beside them.

    Answers may stand in lists (HPDv2: `image_path` and `rank`, or `file_path` and `human_preference`, 1 = the
    preferred; ImageRewardDB's groups: `image` and `rank`) or one a row, rows of one prompt after each other
    (ImageRewardDB: `prompt_id`, `image`, `rank`, `overall_rating`; TIFA: `text_id`, `image_path`, `human_avg`).
    They are texts, image bytes, or names of image files in `images`. Ranks count from 1 = best and lower is
    better: `pair.ranked` reads them as they are; ratings and `human_preference` go to `pair.extremes` with
    `better: higher`. Other columns come along, of answers one a row as lists with one value an answer. A row
    whose numbers do not fit its answers, or whose images are not there, keeps its place with a `read_error`,
    which `filter.rules` drops.
    """

    paper = "HPDv2, arXiv 2306.09341; ImageReward, arXiv 2304.05977"

    path: str
    """A file, folder or glob, or a Hub id such as owner/name."""
    columns: dict[str, str] = {}
    """prompt, answers and group: the source's columns, where their names are not known ones."""
    numbers: tuple[str, ...] = ()
    """Columns of ranks and scores, one an answer; empty = those of known names that are there."""
    images: str = ""
    """Folder of the image files; empty = the file's own or, beside test.json, test/, where images lie there; else
    answers keep the names alone."""
    split: str = "train"
    """The split of a Hub dataset, or of a folder of `train-00000-of-…` files."""
    config: str = ""
    """The configuration of a Hub dataset; empty = its default."""
    revision: str = "main"
    """The branch, tag or commit of a Hub dataset."""

    def batches(self, columns: Collection[str] | None = None) -> Iterator[pa.Table]:
        """Prompts in the order of the source; a group split in two stays two."""
        schema = pa.schema([f for f in self._schema() if columns is None or f.name in columns])
        rows = (row for table in self._tables.read(self._tables.schema()) for row in table.to_pylist())
        folder = self._folder
        made = (self._place.row(members, folder) for members in grouped(rows, self._place))
        while piece := list(islice(made, PIECE)):
            yield pa.Table.from_pylist([{n: row.get(n) for n in schema.names} for row in piece], schema=schema)

    def schema_names(self) -> Sequence[str]:
        """The columns rows will have."""
        return list(self._schema().names)

    def fingerprint(self) -> str:
        """Names, sizes and times of the files, or the Hub's commit; the folder of images and its time."""
        folder = self._folder
        images = f"{folder} {folder.stat().st_mtime_ns}" if folder is not None and folder.is_dir() else ""
        return f"{self._tables.fingerprint()} {images}"

    def file_names(self) -> Sequence[str]:
        """The files, or the Hub id with its revision."""
        return self._tables.names()

    def faults(self) -> Sequence[str]:
        """A missing file or folder, no answers, no numbers."""
        unseen = self.images and not Path(self.images).expanduser().is_dir()
        return faults_of(self._schema) or ([f"no folder {self.images}"] if unseen else [])

    def _schema(self) -> pa.Schema:
        fields = [pa.field("prompt", COLUMNS["prompt"], metadata={b"form": b"text"})]
        fields += [pa.field(name, COLUMNS[name]) for name in ("candidates", "source_id")]
        fields += [pa.field(name, pa.list_(pa.float64())) for name in self._place.numbers]
        fields += self._place.fields()
        return pa.schema([*fields, pa.field("read_error", pa.string())])

    @cached_property
    def _tables(self) -> Tables:
        return open_tables(self.path, self.split, self.config, self.revision, False)

    @cached_property
    def _folder(self) -> Path | None:
        """Where the image files are looked for; None = nowhere."""
        if self.images:
            return Path(self.images).expanduser()
        here = Path(self.path).expanduser()
        home = here if here.is_dir() else here.parent
        names = pictured(self._tables.peek().to_pylist(), self._place)[:_TRIED]
        places = (home, home / here.stem, home / self.split)
        return next((place for place in places if any((place / name).is_file() for name in names)), None)

    @cached_property
    def _place(self) -> Ranked:
        return ranked(self._tables.peek().schema, self.columns, self.numbers)
