"""Pictures of a folder known by their names alone, and captions told of such names elsewhere."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, final

import pyarrow as pa
import pyarrow.compute as pc

from ..core.errors import InputError
from ..core.hashing import digest
from ..core.row import flat
from .albums import caption_beside, picture_at, pictures_below
from .photo_prompts import USUAL
from .tables import Tables

KEYS: Final = ("image_0_uid", "image_1_uid", "filename", "file_name", "image_path", "uid")
"""Columns that name pictures: Pick-a-Pic's two, and the usual ones."""


@final
@dataclass(frozen=True)
class NamedPictures:
    """A folder's pictures: their paths from it, by their names without folders and ending."""

    folder: Path
    paths: dict[str, str]

    def picture(self, name: str) -> tuple[dict[str, Any] | None, str]:
        """The picture of a name, and what is wrong with it; the latter is empty when nothing is."""
        path = self.paths.get(stem(name))
        if path is None:
            return None, f"no picture {name} in the folder"
        data, fault = picture_at(self.folder / path)
        return (None, fault) if fault else ({"bytes": data, "path": path}, "")

    def caption(self, name: str) -> str | None:
        """What the text file beside a picture says; None where there is none."""
        path = self.paths.get(stem(name))
        return caption_beside(self.folder / path) if path else None

    def captioned(self) -> bool:
        """True when some picture has a text file beside it."""
        return any((self.folder / path).with_suffix(".txt").is_file() for path in self.paths.values())

    def stamp(self) -> str:
        """Changes when a picture or its text may have changed."""
        files = (self.folder / path for path in self.paths.values())
        there = (file for path in files for file in (path, path.with_suffix(".txt")) if file.is_file())
        stats = ((file, file.stat()) for file in there)
        return digest(*(f"{file.name} {stat.st_size} {stat.st_mtime_ns}" for file, stat in stats))


def stem(name: str) -> str:
    """A picture's name without folders and ending: what Pick-a-Pic calls its uid."""
    return PurePosixPath(name.replace("\\", "/")).stem


def named_pictures(folder: str) -> NamedPictures:
    """The pictures of a folder, however deep. Raises InputError when it is not there, or two have one name."""
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise InputError(f"no folder {folder}", hint="images is the folder of the picture files")
    paths: dict[str, str] = {}
    for path in sorted(pictures_below(root)):
        if (other := paths.setdefault(stem(path), path)) != path:
            hint = "pictures are known by their names alone: keep one of the two"
            raise InputError(f"{other} and {path} have one name", place=folder, hint=hint)
    if not paths:
        raise InputError(f"no picture in {folder}", hint="it is searched however deep")
    return NamedPictures(root, paths)


def captions(tables: Tables, wanted: Collection[str]) -> dict[str, str]:
    """The captions of these names, of several the first. Raises InputError as `caption_columns` does."""
    schema = tables.schema()
    keys, text = caption_columns(schema)
    found: dict[str, str] = {}
    listed = pa.array(sorted(wanted), pa.string())
    for table in tables.read(pa.schema([schema.field(name) for name in (*keys, text)])):
        for key in keys:
            names = pc.replace_substring_regex(flat(table[key]), r"^.*[/\\]|\.[A-Za-z0-9]+$", "")
            asked = pc.is_in(names, listed)
            kept = zip(names.filter(asked).to_pylist(), flat(table[text]).filter(asked).to_pylist(), strict=True)
            for name, caption in kept:
                if caption:
                    found.setdefault(name, str(caption))
    return found


def caption_columns(schema: pa.Schema) -> tuple[list[str], str]:
    """The columns of a table of captions: those that name pictures, and that of the captions.

    Raises InputError when the table has no such columns.
    """
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    keys = [name for name in KEYS if name in texts]
    text = next((name for name in USUAL if name in texts), None)
    if keys and text is not None:
        return keys, text
    hint = f"it has {', '.join(schema.names)}; wanted are one of {', '.join(USUAL)} and one of {', '.join(KEYS)}"
    raise InputError("prompts: no table of captions by the names of pictures", hint=hint)
