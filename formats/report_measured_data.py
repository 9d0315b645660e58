"""What a report says was measured, as frozen data: scores, lengths, topics, evidence, diagnoses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Series:
    """One column before or after: rows with a value, rows without, quantiles and mean."""

    label: str
    rows: int
    nulls: int
    low: float | None
    median: float | None
    high: float | None
    mean: float | None


@final
@dataclass(frozen=True)
class Distribution:
    """A score column before and after, with what its schema says of it."""

    name: str
    doc: str
    facts: tuple[str, ...]
    svg: str
    before: Series
    after: Series
    yes: bool = False
    """True for a column of yes and no: its mean is the share of yes."""
    note: str = ""


@final
@dataclass(frozen=True)
class LengthBias:
    """How often the chosen answer is the longer one, ties in length left out."""

    before: float | None
    after: float | None
    pairs_before: int
    pairs_after: int
    svg: str
    histogram: Distribution


@final
@dataclass(frozen=True)
class TopicLine:
    """A topic: its number on the map, its distinctive words and its rows."""

    number: int
    label: str
    before: int
    after: int
    share: str
    bar: str


@final
@dataclass(frozen=True)
class TopicMap:
    """The map of prompts or answers; `points` of `rows` are drawn."""

    column: str
    points: int
    rows: int
    svg: str
    topics: tuple[TopicLine, ...]
    note: str = ""


@final
@dataclass(frozen=True)
class EvidenceLine:
    """Held-out accuracy of one head trained on one set of rows, with its interval as SVG."""

    source: str
    set: str
    rows: int
    accuracy: str
    low: str
    high: str
    seeds: int
    svg: str
    best: bool


@final
@dataclass(frozen=True)
class Evidence:
    """What diagnose.evidence measured, with the sentence that limits it."""

    stage: str
    label: str
    heldout: int
    lines: tuple[EvidenceLine, ...]
    caveat: str


@final
@dataclass(frozen=True)
class Measured:
    """One figure of a diagnosis; `span` is its interval in words, `svg` the same drawn."""

    measure: str
    value: str
    span: str
    svg: str
    reading: str


@final
@dataclass(frozen=True)
class Diagnosis:
    """What a diagnose.* stage measured; `why` is its warning, or why it refused."""

    stage: str
    refused: bool
    why: str
    lines: tuple[Measured, ...]
