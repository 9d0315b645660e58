"""What a photo is the answer to: a prompt from the manifest, or from a template and what is known of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from string import Formatter
from typing import Any, Final

from ..core.errors import did_you_mean
from .albums import Album

USUAL: Final = ("prompt", "caption", "text")
"""Columns of a manifest that are taken for prompts."""
DEFAULT: Final = "a photo of {a} {class_name}"
_KNOWN: Final = ("subject", "class_name", "a")


def own_prompts(album: Album, template: str) -> str:
    """The manifest's column of prompts; empty when a template is given or there is none."""
    kinds = {field.name: str(field.type) for field in album.told.schema}
    return "" if template else next((name for name in USUAL if kinds.get(name) == "string"), "")


def unnamed(album: Album, template: str) -> bool:
    """True when some photo has neither a prompt nor a class that one could name."""
    if template or all(album.classes):
        return False
    column = own_prompts(album, "")
    told = album.told[column].to_pylist() if column else [None] * len(album.names)
    return not all(kind or own for kind, own in zip(album.classes, told, strict=True))


def prompts_of(album: Album, template: str, rows: range) -> list[str]:
    """The prompts of these photos; where the manifest has none the default template is filled in."""
    column = own_prompts(album, template)
    told: Sequence[str | None] = [None] * len(rows)
    if column:
        told = album.told[column].slice(rows.start, len(rows)).to_pylist()
    return [own or text for own, text in zip(told, _filled(album, template or DEFAULT, rows), strict=True)]


def template_faults(template: str, columns: Collection[str]) -> list[str]:
    """What is wrong with a template: braces that do not close, or a part that nothing fills."""
    try:
        parts = list(_parts(template))
    except ValueError as error:
        return [f"prompt: {error}"]
    known = [*_KNOWN, *columns]
    return [f"prompt: nothing fills {{{part}}}; {did_you_mean(part, known)}" for part in parts if part not in known]


def _parts(template: str) -> Iterator[str]:
    return (name for _, name, _, _ in Formatter().parse(template) if name is not None)


def _filled(album: Album, template: str, rows: range) -> Iterator[str]:
    columns = [name for name in _parts(template) if name not in _KNOWN]
    told = album.told.select(columns).slice(rows.start, len(rows)).to_pylist() if columns else [{}] * len(rows)
    for row, values in zip(rows, told, strict=True):
        kind = album.classes[row]
        article = "an" if kind[:1].lower() in set("aeiou") else "a"
        known: dict[str, Any] = {"subject": album.subjects[row], "class_name": kind, "a": article}
        yield template.format_map({name: value if value is not None else "" for name, value in values.items()} | known)
