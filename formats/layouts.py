"""Which columns of a source hold the prompt, the two answers and the preference between them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, final

import pyarrow as pa

from ..core.errors import InputError, did_you_mean
from .answers import is_answer
from .dialogues import is_messages, is_prompt
from .labels import Meaning, meaning_of

LayoutName = Literal["auto", "explicit", "implicit", "labelled"]
PROMPTS: Final = (
    "prompt", "instruction", "question", "query", "conversations", "history", "context", "caption", "post", "input",
)  # fmt: skip
_PAIRED: Final = (("chosen", "rejected"), ("img_better", "img_worse"))
_STEMS: Final = (
    "response", "answer", "output", "completion", "human_ref", "conversation", "candidate", "summary", "text",
    "image", "jpg",
)  # fmt: skip
_ENDS: Final = (("_a", "_b"), ("_A", "_B"), ("_1", "_2"), ("1", "2"), ("_0", "_1"))
_MODELS: Final = (("model_a", "model_b"), ("model_0", "model_1"))
_LABELS: Final = (
    "preference", "label", "labels", "winner", "choice", "ranking_choice", "majority", "better_response_id",
    "overall_preference", "preference_strength", "human_preference", "label_0",
)  # fmt: skip
_RANKED: Final = frozenset(["rank", "ranks", "ranking", "human_preference", "overall_rating", "ratings"])


@final
@dataclass(frozen=True)
class Layout:
    """Where a pair is found. `spoken`: answers are message lists, which may hold the prompt as well.

    `usable` is a column that is false where the label says nothing, as Pick-a-Pic's `has_label`.
    """

    first: str
    second: str
    prompt: str | None = None
    addition: str | None = None
    system: str | None = None
    label: str | None = None
    meaning: Meaning | None = None
    usable: str | None = None
    models: tuple[str, str] | None = None
    verdict: str | None = None
    spoken: bool = False

    def content(self) -> tuple[str, ...]:
        """Columns a pair's content is made from."""
        names = (self.first, self.second, self.prompt, self.addition, self.system)
        return tuple(name for name in names if name is not None)

    def consumed(self) -> set[str]:
        """Columns that do not stand beside the pair any more: their content is in it."""
        verdict = (self.verdict,) if self.verdict else ()
        return {*self.content(), *(self.models or ()), *verdict}


def detect(fields: Mapping[str, pa.Field], forms: Mapping[str, str], wanted: LayoutName) -> Layout:
    """The layout of these columns; `forms` tells what their strings hold (`dialogues.form_of`).

    Raises InputError that lists the columns there are.
    """
    names = set(fields)
    paired = next((pair for pair in _PAIRED if set(pair) <= names), None)
    sides = _sides(names)
    label = next((name for name in _LABELS if name in names), None)
    if wanted == "labelled" or (wanted == "auto" and paired is None):
        if sides is None or label is None:
            raise InputError(_absent(names, sides), hint=_remedy(names))
        return _labelled(fields, forms, sides, label)
    if paired is None:
        raise InputError("no columns chosen and rejected", hint=_remedy(names))
    prompt = next((name for name in PROMPTS if name in names), None)
    whole = all(forms.get(side) == "whole" for side in paired)
    if wanted == "implicit" or (wanted == "auto" and (prompt is None or whole)):
        prompt = None
    elif prompt is None:
        raise InputError("no column holds the prompt", hint=_remedy(names))
    return _laid(fields, forms, paired, prompt)


def _labelled(fields: Mapping[str, pa.Field], forms: Mapping[str, str], sides: tuple[str, str], label: str) -> Layout:
    prompt = next((name for name in PROMPTS if name in fields and name not in sides), None)
    whole = all(forms.get(side) == "whole" for side in sides)
    models = next((pair for pair in _MODELS if set(pair) <= set(fields)), None)
    usable = "has_label" if "has_label" in fields and pa.types.is_boolean(fields["has_label"].type) else None
    found = _laid(fields, forms, sides, None if whole else prompt)
    meaning = meaning_of(label, sides[0], fields[label].type)
    return replace(found, label=label, meaning=meaning, usable=usable, models=models)


def _laid(
    fields: Mapping[str, pa.Field], forms: Mapping[str, str], sides: tuple[str, str], prompt: str | None
) -> Layout:
    for name in sides:
        if not is_answer(fields[name].type):
            cause = f"column {name} is {fields[name].type}, which is no answer"
            raise InputError(cause, hint="strings, {role, content} messages and images are understood")
    if prompt is not None and not is_prompt(fields[prompt].type):
        cause = f"column {prompt} is {fields[prompt].type}, which is no prompt"
        raise InputError(cause, hint="strings and {role, content} messages are understood")
    listed = any(is_messages(fields[side].type) or forms.get(side) == "json" for side in sides)
    silent = [side for side in sides if listed and not is_prompt(fields[side].type)]
    if silent:
        raise InputError(f"one answer is messages and {silent[0]} is not", hint="both must be of one kind")
    spoken = listed or (prompt is None and pa.types.is_string(fields[sides[0]].type))
    addition = "input" if prompt == "instruction" and _is_text(fields, "input") else None
    system = next((name for name in ("system", "system_prompt") if prompt and _is_text(fields, name)), None)
    verdict = "verdict" if _is_text(fields, "verdict") and sides == ("chosen", "rejected") else None
    return Layout(*sides, prompt, addition, system, verdict=verdict, spoken=spoken)


def _sides(names: Collection[str]) -> tuple[str, str] | None:
    if {"first", "second"} <= set(names):
        return "first", "second"
    pairs = ((stem + a, stem + b) for stem in _STEMS for a, b in _ENDS)
    return next(((a, b) for a, b in pairs if a in names and b in names), None)


def _is_text(fields: Mapping[str, pa.Field], name: str) -> bool:
    return name in fields and pa.types.is_string(fields[name].type)


def _absent(names: set[str], sides: tuple[str, str] | None) -> str:
    if sides is not None:
        return f"{sides[0]} and {sides[1]} are there, but no column tells which is better"
    return "neither chosen and rejected nor two answers with a label are there"


def _remedy(names: Collection[str]) -> str:
    near = next((did_you_mean(name, names) for name in ("chosen", "rejected") if name not in names), "")
    near = f"{near} " if near.startswith("did you mean") else ""
    there = ", ".join(sorted(names)) or "none"
    if _RANKED & set(names):
        near += "answers in lists, or one a row, with ranks or scores are read by read.rankings; "
    return f"{near}columns there are: {there}; map yours, e.g. columns: {{chosen: …, rejected: …, prompt: …}}"
