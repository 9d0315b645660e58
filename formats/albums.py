"""Photos in folders and manifests: which there are, whom they show, what is told of each."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.errors import InputError, did_you_mean
from .tables import KINDS, FileTables, suffix

PICTURES: Final = frozenset([".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".jp2", ".ppm"])
"""Endings by which a folder's pictures are known."""
_NAMES: Final = ("file_name", "file", "path", "image_path", "filename", "image")
_CLASSES: Final = ("class_name", "class")
_ABOVE: Final = 4
_SIGNS: Final = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP", b"P6", b"P5")


@final
@dataclass(frozen=True)
class Album:
    """Photos in order. `names` are paths below `base`; `told` [n] is what the manifest says of each."""

    base: Path
    names: list[str]
    subjects: list[str]
    classes: list[str]
    told: pa.Table

    def read(self, index: int) -> tuple[bytes, str]:
        """The bytes of a photo, and what is wrong with them; the latter is empty when nothing is."""
        return picture_at(self.base / self.names[index]) if self.names[index] else (b"", "no file is named")

    def by_subject(self) -> dict[str, list[int]]:
        """The photos of each subject, in order of appearance."""
        found: dict[str, list[int]] = {}
        for index, subject in enumerate(self.subjects):
            found.setdefault(subject, []).append(index)
        return found

    def stamps(self) -> Iterator[str]:
        """Name, size and time of each photo; a missing one has its name."""
        for name in self.names:
            try:
                stat = (self.base / name).stat()
            except OSError:
                yield name
            else:
                yield f"{name} {stat.st_size} {stat.st_mtime_ns}"


def picture_at(path: Path) -> tuple[bytes, str]:
    """The bytes of a picture file, and what is wrong with them; the latter is empty when nothing is."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return b"", error.strerror or str(error)
    if not data:
        return data, "an empty file"
    webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    return data, "" if webp or data.startswith(_SIGNS) else "no picture by its first bytes"


def album(path: Path, file_column: str, classes: Mapping[str, str], class_name: str) -> Album:
    """The photos of a folder, or of a manifest (JSON lines, JSON, CSV, TSV, Parquet, Arrow).

    In a folder a text file of a photo's name beside it is its caption. `classes` tells the class of a
    subject, `class_name` that of photos in no sub-folder, which are a subject each. Raises InputError
    when there is no photo, or a manifest does not say where they are.
    """
    manifest = manifest_of(path)
    if manifest is not None:
        return _from_manifest(manifest, file_column, classes, class_name)
    names = sorted(pictures_below(path))
    if not names:
        raise InputError(f"no picture in {path}", hint=f"pictures end in {', '.join(sorted(PICTURES))}")
    subjects, kinds = _by_folder(names, classes, class_name)
    captions = pa.array([caption_beside(path / name) for name in names], pa.string())
    told = pa.table({"caption": captions})
    return Album(path, names, subjects, kinds, told if captions.null_count < len(names) else told.select([]))


def manifest_of(path: Path) -> Path | None:
    """The manifest that `path` is, or that lies in it as manifest.* or metadata.*; None for plain folders."""
    if path.is_file():
        if not suffix(path):
            raise InputError(f"{path} is no manifest", hint=f"give a folder of pictures, or one of {', '.join(KINDS)}")
        return path
    if not path.is_dir():
        known = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
        raise InputError(f"there is no file or folder {path}", hint=did_you_mean(path.name, known))
    lying = [file for stem in ("manifest", "metadata") for file in sorted(path.glob(f"{stem}.*")) if suffix(file)]
    return lying[0] if lying else None


def column_of(names: Collection[str], wanted: str, usual: tuple[str, ...], place: Path) -> str | None:
    """The column called `wanted`, else the first of the usual ones that is there."""
    if wanted and wanted not in names:
        raise InputError(f"no column {wanted}", place=str(place), hint=did_you_mean(wanted, names))
    return wanted or next((name for name in usual if name in names), None)


def _from_manifest(manifest: Path, file_column: str, classes: Mapping[str, str], class_name: str) -> Album:
    tables = FileTables((manifest,), drop=False)
    told = pa.concat_tables(tables.read(tables.schema())).combine_chunks()
    column = column_of(told.column_names, file_column, _NAMES, manifest)
    if column is None or not pa.types.is_string(told[column].type):
        has = ", ".join(told.column_names)
        raise InputError("no column names the photos", place=str(manifest), hint=f"set file_column; it has {has}")
    names = pc.fill_null(told[column], "").to_pylist()
    subjects, kinds = _by_folder(names, classes, class_name)
    subjects = _told(told, "subject", subjects)
    kinds = [classes.get(subject, kind) for subject, kind in zip(subjects, kinds, strict=True)]
    class_column = next((name for name in _CLASSES if name in told.column_names), "")
    rest = told.select([name for name in told.column_names if name not in (column, "subject", class_column)])
    return Album(_base(manifest.parent, names), names, subjects, _told(told, class_column, kinds), rest)


def _told(table: pa.Table, name: str, otherwise: list[str]) -> list[str]:
    if name not in table.column_names or pa.types.is_nested(table[name].type):
        return otherwise
    told = table[name].cast(pa.string()).to_pylist()
    return [value or other for value, other in zip(told, otherwise, strict=True)]


def _by_folder(names: list[str], classes: Mapping[str, str], class_name: str) -> tuple[list[str], list[str]]:
    """Subject = the folder a photo lies in; class = what is told of it, else the topmost folder's words."""
    subjects, kinds = [], []
    for name in names:
        folders = PurePosixPath(name).parent.parts
        subjects.append(folders[-1] if folders else PurePosixPath(name).stem)
        kinds.append(classes.get(subjects[-1]) or (folders[0].replace("_", " ") if folders else class_name))
    return subjects, kinds


def caption_beside(photo: Path) -> str | None:
    """What a text file of the photo's name beside it says, as trainers of adapters keep captions."""
    file = photo.with_suffix(".txt")
    return file.read_text(encoding="utf-8", errors="replace").strip() or None if file.is_file() else None


def _base(folder: Path, names: list[str]) -> Path:
    """The folder that the manifest's paths start from: its own, or one of those above it."""
    places = [folder, *folder.parents][:_ABOVE]
    found = [sum((place / name).is_file() for name in names[:16] if name) for place in places]
    return places[int(np.argmax(found))]


def pictures_below(root: Path) -> Iterator[str]:
    """The paths of a folder's pictures, however deep, from the folder on; hidden ones are passed over."""
    for folder, below, files in os.walk(root):
        below[:] = [name for name in below if not name.startswith((".", "__MACOSX"))]
        for name in files:
            if Path(name).suffix.lower() in PICTURES and not name.startswith("."):
                yield (Path(folder) / name).relative_to(root).as_posix()
