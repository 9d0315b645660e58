"""`rather push`: a written dataset to the Hub."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import InputError
from ..core.runs import open_run
from ..formats.hub import push


def push_dataset(data: Path, repo: str, *, private: bool, dry_run: bool) -> None:
    """Push a dataset folder, or the dataset a run wrote."""
    result = push(dataset_folder(data), repo, private=private, dry_run=dry_run)
    print(result)


def dataset_folder(data: Path) -> Path:
    """The folder itself, or where the run in it wrote its dataset."""
    if not data.is_dir():
        raise InputError("no such folder", place=str(data), hint="give a written dataset or a run folder")
    if not (data / "run.json").exists():
        return data
    written = [f["path"] for f in open_run(data).facts.values() if "files" in f and "path" in f]
    if not written:
        raise InputError("this run wrote no dataset", place=str(data), hint="add write.parquet to its recipe")
    return Path(written[-1])
