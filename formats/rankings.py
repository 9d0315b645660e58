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
from .naming import passed_name

LISTED: Final = (
    "answers", "candidates", "responses", "outputs", "completions", "images", "image", "image_path", "file_path",
)  # fmt: skip
SINGLE: Final = ("answer", "response", "output", "completion", "image", "image_path", "file_path", "image_name")
NUMBERS: Final = (
    "rank", "ranks", "ranking", "human_preference", "scores", "ratings", "overall_rating",
    "image_text_alignment_rating", "fidelity_rating", "human_avg",
)  # fmt: skip
GROUPS: Final = ("prompt_id", "group_id", "text_id", "ranking_id")
MODELS: Final = ("models", "model", "image_model")
_TAKEN: Final = ("prompt", "candidates", "source_id", "read_error")
_PICTURES: Final = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")


@final
@dataclass(frozen=True)
class Ranked:
    """Where a ranking stands: in lists of one row, or (`group`) in rows one after the other.

    `key` names the source's id, `model` who made an answer, `passed` the columns that come along, by their names
    in our rows: as they are, or of rows of a group a list with one value an answer.
    """

    prompt: str
    answers: str
    numbers: tuple[str, ...]
    group: str | None
    key: str | None
    model: str | None
    passed: Mapping[str, pa.Field]

    def row(self, rows: Sequence[Mapping[str, Any]], folder: Path | None) -> dict[str, Any]:
        """One of our rows; `read_error` says what does not fit together."""
        first = rows[0]
        answers = self._listed(rows, self.answers)
        found: dict[str, Any] = {"prompt": messages(first[self.prompt]), "read_error": None}
        found |= {ours: self._passed(rows, field.name) for ours, field in self.passed.items()}
        found["source_id"] = str(first[self.key]) if self.key and first[self.key] is not None else None
        for name in self.numbers:
            values = self._listed(rows, name)
            if len(values) != len(answers):
                found["read_error"] = f"{len(values)} values of {name} for {len(answers)} answers"
                values = []
            found[name] = [None if value is None else float(value) for value in values] or None
        faults: list[str] = []
        models = self._listed(rows, self.model) if self.model else []
        models = models if len(models) == len(answers) else [None] * len(answers)
        found["candidates"] = [_answer(a, folder, faults, m) for a, m in zip(answers, models, strict=True)]
        if faults and found["read_error"] is None:
            found["read_error"] = faults[0]
        return found

    def fields(self) -> list[pa.Field]:
        """The columns that come along, with their types."""
        listed = self.group is None
        return [pa.field(ours, f.type if listed else pa.list_(f.type)) for ours, f in self.passed.items()]

    def _listed(self, rows: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
        """One value an answer."""
        return list(rows[0][name] or ()) if self.group is None else [row[name] for row in rows]

    def _passed(self, rows: Sequence[Mapping[str, Any]], name: str) -> Any:
        return rows[0][name] if self.group is None else [row[name] for row in rows]


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
    own = next((name for name in ("id", "source_id") if listed and name in names), None)
    key = own or group
    model = next((name for name in MODELS if name in names and (name in lists) == listed), None)
    passed = _passing(schema, {prompt, answers, key, model, *kept}, kept)
    return Ranked(prompt, answers, kept, None if listed else group, key, model, passed)


def _passing(schema: pa.Schema, used: set[str | None], numbers: Sequence[str]) -> dict[str, pa.Field]:
    """The source's other columns by our names for them."""
    found: dict[str, pa.Field] = {}
    for field in schema:
        if field.name not in used:
            ours = "source_ids" if field.name == "id" else passed_name(field.name, field.type)
            while ours in found or ours in _TAKEN or ours in numbers:
                ours = f"source_{ours}"
            found[ours] = field
    return found


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


def pictured(rows: Iterable[Mapping[str, Any]], place: Ranked) -> list[str]:
    """The names of picture files among the answers of these rows."""
    values = (row[place.answers] for row in rows)
    listed = (value if isinstance(value, list) else [value] for value in values)
    return [one for values in listed for one in values if isinstance(one, str) and _is_picture(one)]


def _answer(value: Any, folder: Path | None, faults: list[str], model: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    by = {"model": None if model is None else str(model)}
    if isinstance(value, bytes):
        return {"image": {"bytes": value, "path": None}} | by
    if isinstance(value, dict):
        if "bytes" in value:
            return {"image": {"bytes": value["bytes"], "path": value.get("path")}} | by
        return {"text": value.get("text") or value.get("content")} | by
    text = str(value)
    if not _is_picture(text):
        return {"text": text} | by
    if folder is None:
        return {"image": {"bytes": None, "path": text}} | by
    return {"image": _from_folder(text, folder, faults)} | by


def _is_picture(text: str) -> bool:
    return text.lower().endswith(_PICTURES) and "\n" not in text


def _from_folder(name: str, folder: Path, faults: list[str]) -> dict[str, Any]:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        faults.append(f"{name} lies outside the folder of images")
        return {"bytes": None, "path": name}
    try:
        return {"bytes": path.read_bytes(), "path": name}
    except OSError:
        faults.append(f"no image {name} in the folder")
        return {"bytes": None, "path": name}
