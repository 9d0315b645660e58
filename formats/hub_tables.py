"""Datasets of the Hugging Face Hub, and folders that `save_to_disk` wrote, as Arrow tables.

`datasets` obeys HF_ENDPOINT, HF_TOKEN and HF_HOME by itself; nothing is read from or sent elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import pyarrow as pa

from ..core.errors import InputError, did_you_mean
from ..core.hashing import digest
from .tables import FileTables, Tables, find_files, suffix
from .unified import conformed, plain

_ROWS: Final = 16_384
_PEEK: Final = 64
_REPO: Final = re.compile(r"^(?:hf://datasets/)?([\w.-]{1,96}/[\w.-]{1,96})$")


def open_tables(path: str, split: str, config: str, revision: str, drop: bool) -> Tables:
    """What `path` names: a folder that `datasets` saved, files, or a dataset of the Hub. Raises InputError.

    A path that ends like a data file is one: a Hub id that does so is written hf://datasets/owner/name.
    """
    here = Path(path).expanduser()
    if (here / "dataset_dict.json").is_file() or (here / "state.json").is_file():
        return SavedTables(here, split)
    repo = _REPO.match(path)
    if repo and (path.startswith("hf://") or not (here.exists() or here.parent.is_dir() or suffix(here))):
        return HubTables(repo[1], split, config, revision)
    return FileTables(find_files(path, split), drop)


@final
@dataclass(frozen=True)
class HubTables(Tables):
    """One split of a dataset on the Hub, kept in the cache of `datasets`."""

    repo: str
    split: str
    config: str
    revision: str

    def peek(self) -> pa.Table:
        stream = self._load(streaming=True).with_format("arrow")
        try:
            first = next(stream.iter(_PEEK), None)
        except Exception as error:
            raise _hub_fault(self.repo, error) from error
        if first is None:
            return pa.schema([]).empty_table()
        return conformed(first, pa.schema([(field.name, plain(field.type)) for field in first.schema]))

    def schema(self) -> pa.Schema:
        return _schema(self._load())

    def read(self, wanted: pa.Schema) -> Iterator[pa.Table]:
        yield from _batches(self._load(), wanted)

    def fingerprint(self) -> str:
        from huggingface_hub import HfApi

        try:
            commit = HfApi().dataset_info(self.repo, revision=self.revision).sha or ""
        except Exception as error:
            raise _hub_fault(self.repo, error) from error
        return digest(self.repo, self.config, self.split, commit)

    def names(self) -> Sequence[str]:
        return [f"hf://datasets/{self.repo}@{self.revision}"]

    def replayable(self) -> bool:
        return False

    def rows(self) -> int | None:
        return None

    def _load(self, streaming: bool = False) -> Any:
        import datasets

        config = self.config or None
        try:
            return datasets.load_dataset(
                self.repo, config, split=self.split, revision=self.revision, streaming=streaming
            )
        except Exception as error:
            raise _hub_fault(self.repo, error) from error


@final
@dataclass(frozen=True)
class SavedTables(Tables):
    """A folder written by `Dataset.save_to_disk` or `DatasetDict.save_to_disk`."""

    folder: Path
    split: str

    def peek(self) -> pa.Table:
        return _first_rows(self._load())

    def schema(self) -> pa.Schema:
        return _schema(self._load())

    def read(self, wanted: pa.Schema) -> Iterator[pa.Table]:
        yield from _batches(self._load(), wanted)

    def fingerprint(self) -> str:
        files = sorted(file for file in self.folder.rglob("*") if file.is_file())
        stats = [(str(file.relative_to(self.folder)), file.stat()) for file in files]
        return digest(self.split, *(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats))

    def names(self) -> Sequence[str]:
        return [str(self.folder)]

    def replayable(self) -> bool:
        return True

    def rows(self) -> int | None:
        return len(self._load())

    def _load(self) -> Any:
        import datasets

        try:
            saved = datasets.load_from_disk(str(self.folder))
        except (OSError, ValueError, pa.ArrowException) as error:
            raise InputError(f"not a saved dataset: {error}", place=str(self.folder)) from error
        if isinstance(saved, datasets.Dataset):
            return saved
        if self.split not in saved:
            cause = f"there is no split {self.split}"
            raise InputError(cause, place=str(self.folder), hint=did_you_mean(self.split, list(saved)))
        return saved[self.split]


def _schema(dataset: Any) -> pa.Schema:
    return pa.schema([(field.name, plain(field.type)) for field in dataset.features.arrow_schema])


def _first_rows(dataset: Any) -> pa.Table:
    rows = dataset.select(range(min(_PEEK, len(dataset)))).with_format("arrow")
    return conformed(rows[:], _schema(dataset))


def _batches(dataset: Any, wanted: pa.Schema) -> Iterator[pa.Table]:
    names = wanted.names or dataset.column_names[:1]
    for table in dataset.select_columns(names).with_format("arrow").iter(_ROWS):
        yield conformed(table, wanted)


def _hub_fault(repo: str, error: Exception) -> InputError:
    """The likely cause in one sentence; the endpoint's own words follow."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    told = " ".join(str(error).split())[:240]
    if isinstance(error, GatedRepoError):
        return InputError("the dataset is gated", place=repo, hint="accept its terms on the Hub and set HF_TOKEN")
    if isinstance(error, (RepositoryNotFoundError, FileNotFoundError)):
        hint = "there is no such file here either; a private dataset needs HF_TOKEN"
        return InputError("no such dataset on the Hub", place=repo, hint=hint)
    if isinstance(error, ValueError):
        return InputError(told, place=repo)
    hint = "check the connection and HF_ENDPOINT, or give a local path"
    return InputError(f"the Hub cannot be read: {type(error).__name__}: {told}", place=repo, hint=hint)
