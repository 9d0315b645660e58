"""What the report's gallery says, as frozen data: the template prints it and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Shown:
    """One picture: what it is, its thumbnail (data URI), or words why there is none."""

    head: str
    tone: str
    image: str
    words: str


@final
@dataclass(frozen=True)
class Display:
    """A row as pictures side by side; `made` tells what made the rejected one."""

    id: str
    prompt: str
    pictures: tuple[Shown, ...]
    made: str
    values: tuple[tuple[str, str], ...]


@final
@dataclass(frozen=True)
class Rung:
    """One strength of a degradation, or a range of them: rows, likeness, and how many rows were kept."""

    strength: str
    rows: int
    mean: str
    middle: str
    kept: str


@final
@dataclass(frozen=True)
class Curve:
    """Likeness against strength of one kind of degradation."""

    kind: str
    svg: str
    rungs: tuple[Rung, ...]


@final
@dataclass(frozen=True)
class Plane:
    """Two scores of the same rows against each other, with the window of what was kept."""

    across: str
    up: str
    window: str
    points: int
    svg: str
    keys: tuple[str, ...]
    """Kinds of degradation in the order of their colours; empty when there is one colour."""


@final
@dataclass(frozen=True)
class Gallery:
    """Pictures of kept rows, likeness against strength by `column`, and two scores against each other."""

    displays: tuple[Display, ...]
    column: str
    curves: tuple[Curve, ...]
    plane: Plane | None
