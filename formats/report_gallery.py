"""The report's gallery of a run on images: kept rows as pictures side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from .report_compare import Compare
from .report_gallery_data import Display, Gallery, Shown
from .report_likeness import STRENGTH, curves, described, likeness_column, plane, windows_of
from .report_pairs import named_values, prompt_words
from .report_text import excerpt, value_text
from .thumbnails import Thumbnails

DISPLAYS: Final = 12
SIDE: Final = 220
"""Longest side of a gallery thumbnail, pixels."""
VALUES: Final = 6
"""Scores, and parameters of what was done, shown below the pictures of a row."""
LONGEST: Final = 24
"""Characters of a parameter that is shown."""
_UNTOLD: Final = ("seed", "width", "height")
Picture = tuple[str, str, Mapping[str, Any] | None]


def gallery_of(compare: Compare, rows: Sequence[Mapping[str, Any]], scores: Sequence[str]) -> Gallery | None:
    """Pictures of the kept `rows` and figures of all rows' scores; None when no answer of `rows` is an image."""
    found = [row for row in rows if any(image for _, _, image in _answers(row))]
    if not found:
        return None
    thumbs = Thumbnails(4 * DISPLAYS, SIDE)
    told = tuple(name for name in scores if name in described(compare)) or tuple(scores)
    displays = tuple(_display(row, told, thumbs) for row in _varied(found))
    windows = windows_of(compare.view.recipe)
    column = likeness_column(compare, windows)
    return Gallery(displays, column, curves(compare, column, windows), plane(compare, column, windows))


def _answers(row: Mapping[str, Any]) -> list[Picture]:
    """(head, tone, image) of chosen and rejected, or of the first candidates."""
    sides = [("Chosen", "chosen", row.get("chosen")), ("Rejected", "rejected", row.get("rejected"))]
    if not any(answer for _, _, answer in sides):
        sides = [(f"Candidate {k + 1}", "", answer) for k, answer in enumerate((row.get("candidates") or [])[:3])]
    return [(head, tone, (answer or {}).get("image")) for head, tone, answer in sides]


def _pictures(row: Mapping[str, Any]) -> list[Picture]:
    """The answers, and before them the first reference unless it is an answer itself."""
    answers = _answers(row)
    reference = next(iter(row.get("images") or []), None)
    if reference and all((image or {}).get("bytes") != reference.get("bytes") for _, _, image in answers):
        return [("Reference", "", reference), *answers]
    return answers


def _display(row: Mapping[str, Any], scores: Sequence[str], thumbs: Thumbnails) -> Display:
    shown = []
    for head, tone, image in _pictures(row):
        source, words = thumbs.of(image)
        shown.append(Shown(head, tone, source, words or ("" if source else "no image")))
    prompt = excerpt(prompt_words(row.get("prompt")), 140)
    return Display(row.get("id") or "", prompt, tuple(shown), _made(row), _values(row, scores))


def _values(row: Mapping[str, Any], scores: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The first scores in words; those of both sides as one, the chosen one first."""
    told = dict(named_values(row, scores))
    merged: dict[str, str] = {}
    for name, value in told.items():
        stem = name.removeprefix("chosen_")
        if stem != name and f"rejected_{stem}" in told:
            merged[stem] = f"{value} › {told[f'rejected_{stem}']}"
        elif f"chosen_{name.removeprefix('rejected_')}" not in told or not name.startswith("rejected_"):
            merged[name] = value
    merged.pop(STRENGTH, None)
    return tuple(merged.items())[:VALUES]


def _made(row: Mapping[str, Any]) -> str:
    """What made the rejected image: the method and its parameters in words."""
    made_by = (row.get("rejected") or {}).get("made_by") or {}
    if not made_by.get("method"):
        return ""
    try:
        params = json.loads(made_by.get("params") or "{}")
    except ValueError:
        params = {}
    told = {name: value_text(value) for name, value in params.items()} if isinstance(params, dict) else {}
    short = [name for name in told if name not in _UNTOLD and len(told[name]) <= LONGEST]
    names = sorted(short, key=lambda name: (name != STRENGTH, name))[:VALUES]
    words = [f"{name.replace('_', ' ')} {told[name]}" for name in names]
    return ", ".join([str(made_by["method"]).replace("_", " "), *words])


def _varied(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """DISPLAYS rows, taken in turn from each method that made a rejected image, methods in order of name."""
    by_method: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        made_by = (row.get("rejected") or {}).get("made_by") or {}
        by_method.setdefault(made_by.get("method") or "", []).append(row)
    groups = [by_method[name] for name in sorted(by_method)]
    turns = [(k, g) for g, group in enumerate(groups) for k in range(len(group))]
    return [groups[g][k] for k, g in sorted(turns)[:DISPLAYS]]
