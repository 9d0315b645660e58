"""`rather pull`: a dataset of the Hub into a folder."""

from __future__ import annotations

import json
from pathlib import Path

from ..core.errors import InputError
from ..formats.hub import pull
from ..formats.splits import splits_of
from ..formats.tables import suffix


def pull_dataset(repo: str, out: Path | None, revision: str | None, as_json: bool) -> None:
    """Fetch and tell: where it lies, its files, bytes and splits."""
    name = repo.removeprefix("hf://datasets/").strip("/")
    folder = out or Path(name.rpartition("/")[2])
    if folder.is_file():
        raise InputError("this is a file", place=str(folder), hint="give a folder with -o")
    _untouched(folder)
    pull(name, folder, revision=revision)
    files = [file for file in folder.rglob("*") if file.is_file() and ".cache" not in file.relative_to(folder).parts]
    size = sum(file.stat().st_size for file in files)
    splits = splits_of(str(folder))
    readable = any(suffix(file) for file in files)
    if as_json:
        found = {"path": str(folder), "files": len(files), "bytes": size, "splits": list(splits), "readable": readable}
        print(json.dumps(found, ensure_ascii=False))
        return
    print(f"{folder}: {len(files):,} files, {size:,} bytes" + (f"; splits: {', '.join(splits)}" if splits else ""))
    if not readable:
        print("none of them is a table that rather reads; see: rather list formats")


def _untouched(folder: Path) -> None:
    """A folder with files of another make is not mixed with a repository."""
    if not folder.is_dir() or (folder / ".cache" / "huggingface").is_dir():
        return
    odd = next((entry.name for entry in sorted(folder.iterdir()) if entry.name != ".cache"), None)
    if odd is not None:
        cause = f"the folder holds {odd}, which was not pulled"
        raise InputError(cause, place=str(folder), hint="give an empty or a new folder with -o")
