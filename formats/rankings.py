"""Several answers to one prompt with ranks or scores: where a source keeps them, and rows made of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final, final

import pyarrow as pa

from ..core.errors import InputError, did_you_mean
from .layouts import PROMPTS

LISTED: Final = (
    "answers", "candidates", "responses", "outputs", "completions", "images", "image_path", "file_path",
)  # fmt: skip
SINGLE: Final = ("answer", "response", "output", "completion", "image", "image_path", "file_path", "image_name")
NUMBERS: Final = (
    "rank", "ranks", "ranking", "human_preference", "scores", "ratings", "overall_rating",
    "image_text_alignment_rating", "fidelity_rating",
)  # fmt: skip
GROUPS: Final = ("prompt_id", "group_id", "text_id", "ranking_id")
_PICTURES: Final = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")


@final
@dataclass(frozen=True)
class Ranked:
    """Where a ranking stands: in lists of one row, or (`group`) in rows one after the other."""

    prompt: str
    answers: str
    numbers: tuple[str, ...]
    group: str | None

    def row(self, rows: Sequence[Mapping[str, Any]], folder: Path | None) -> dict[str, Any]:
        """One of our rows; `read_error` says what does not fit together."""
        first = rows[0]
        listed = self.group is None
        answers = list(first[self.answers] or ()) if listed else [row[self.answers] for row in rows]
        found: dict[str, Any] = {"prompt": messages(first[self.prompt]), "read_error": None}
        for name in self.numbers:
            values = list(first[name] or ()) if listed else [row[name] for row in rows]
            if len(values) != len(answers):
                found["read_error"] = f"{len(values)} values of {name} for {len(answers)} answers"
                values = []
            found[name] = [None if value is None else float(value) for value in values] or None
        faults: list[str] = []
        found["candidates"] = [_answer(answer, folder, faults) for answer in answers]
        if faults and found["read_error"] is None:
            found["read_error"] = faults[0]
        return found


def ranked(schema: pa.Schema, mapping: Mapping[str, str], numbers: Sequence[str]) -> Ranked:
    """Where the ranking stands, by the mapping {prompt, answers, group} or by known names. Raises InputError."""
    names = set(schema.names)
    lists = {field.name for field in schema if pa.types.is_list(field.type) or pa.types.is_large_list(field.type)}
    for ours, theirs in mapping.items():
        if ours not in ("prompt", "answers", "group"):
            raise InputError(f"columns: no place for {ours}", hint="known: prompt, answers, group; others by numbers")
        if theirs not in names:
            raise InputError(f"no column {theirs}", hint=did_you_mean(theirs, names))
    group = mapping.get("group") or next((name for name in GROUPS if name in names), None)
    answers = mapping.get("answers") or next((n for n in LISTED if n in lists), None)
    answers = answers or (next((n for n in SINGLE if n in names), None) if group else None)
    prompt = mapping.get("prompt") or next((n for n in (*PROMPTS, "text") if n in names - {answers}), None)
    told = ", ".join(sorted(names))
    if answers is None or prompt is None:
        missing = "answers (a list, or one a row with a group)" if answers is None else "the prompt"
        raise InputError(f"no column holds {missing}", hint=f"columns there are: {told}; map yours by columns")
    listed = answers in lists
    for name in numbers:
        if name not in names:
            raise InputError(f"no column {name}", hint=did_you_mean(name, names))
    kept = tuple(numbers) or tuple(n for n in NUMBERS if n in names - {answers} and (n in lists) == listed)
    if not kept:
        raise InputError("no ranks or scores beside the answers", hint=f"name them by numbers; there are: {told}")
    return Ranked(prompt, answers, kept, None if listed else group)


def grouped(rows: Iterable[Mapping[str, Any]], place: Ranked) -> Iterator[list[Mapping[str, Any]]]:
    """Rows of one prompt: each by itself, or those that follow each other with one value of the group."""
    if place.group is None:
        yield from ([row] for row in rows)
        return
    key = place.group
    for _, members in groupby(rows, key=lambda row: row[key]):
        yield list(members)


def messages(prompt: Any) -> Any:
    """Messages as they are; text as one turn of the user."""
    if prompt is None or isinstance(prompt, list):
        return prompt
    return [{"role": "user", "content": str(prompt)}]


def _answer(value: Any, folder: Path | None, faults: list[str]) -> dict[str, Any] | None:
    if value is None:
        return None
    if isinstance(value, bytes):
        return {"image": {"bytes": value, "path": None}}
    if isinstance(value, dict):
        if "bytes" in value:
            return {"image": {"bytes": value["bytes"], "path": value.get("path")}}
        return {"text": value.get("text") or value.get("content")}
    text = str(value)
    if not text.lower().endswith(_PICTURES) or "\n" in text:
        return {"text": text}
    if folder is None:
        return {"image": {"bytes": None, "path": text}}
    return _from_folder(text, folder, faults)


def _from_folder(name: str, folder: Path, faults: list[str]) -> dict[str, Any]:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        faults.append(f"{name} lies outside the folder of images")
        return {"image": {"bytes": None, "path": name}}
    try:
        return {"image": {"bytes": path.read_bytes(), "path": name}}
    except OSError:
        faults.append(f"no image {name} in the folder")
        return {"image": {"bytes": None, "path": name}}
