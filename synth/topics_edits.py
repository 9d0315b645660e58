"""Which answer is rewritten, and which of its claims are overwritten by which alternatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

from .confirming import Strength
from .topics_claims import Claim, alike

Mode = Literal["max_all_claim", "max_one_claim"]
Pick = Literal["best", "last_met"]


@final
@dataclass(frozen=True)
class Edit:
    """Claim number `claim` is overwritten by number `by`, of the same topic."""

    claim: int
    by: int


@final
@dataclass(frozen=True)
class Edits:
    """The answer that is rewritten, what makes it better, and what makes it worse."""

    base: int
    up: tuple[Edit, ...]
    down: tuple[Edit, ...]


def planned(claims: Sequence[Claim], topics: Sequence[int], mode: Mode, least: int, pick: Pick) -> Edits | None:
    """The edits of the base answer: fewest upward edits, then most downward ones, then the first.

    A claim can be overwritten when its topic holds both a true and a false alternative; an answer
    qualifies with at least `least` of them. None when no answer does.
    """
    found = [
        edits
        for answer in sorted({claim.answer for claim in claims})
        if len((edits := _edits(claims, topics, answer, pick)).up) + len(edits.down) >= least
    ]
    if not found:
        return None
    base = min(found, key=lambda edits: (len(edits.up), -len(edits.down), edits.base))
    return base if mode == "max_all_claim" else _widest(claims, base)


def lessened(claims: Sequence[Claim], edits: Sequence[Edit], strength: Strength) -> tuple[Edit, ...]:
    """The edits that leave an answer this bad: gross all of them, clear the half that says the least other
    things, rounded up, subtle the one that does; in their own order. An edit says as much another thing as
    its two sides differ in p_yes - p_no."""
    wanted = {"subtle": 1, "clear": -(-len(edits) // 2), "gross": len(edits)}[strength]
    mildest = sorted(edits, key=lambda edit: _width(claims, edit))[:wanted]
    return tuple(edit for edit in edits if edit in mildest)


def accuracies(claims: Sequence[Claim], answers: int) -> list[float | None]:
    """For each answer the mean of p_yes - p_no over what it claims, in [-1, 1]; None for one without claims."""
    return [_mean([claim.lead for claim in _standing(claims, k)]) for k in range(answers)]


def mistakes(claims: Sequence[Claim], answers: int) -> list[float | None]:
    """For each answer minus the number of its false claims; None for one without claims."""
    counts: list[float | None] = []
    for k in range(answers):
        mine = _standing(claims, k)
        counts.append(-float(sum(not claim.true for claim in mine)) if mine else None)
    return counts


def _edits(claims: Sequence[Claim], topics: Sequence[int], answer: int, pick: Pick) -> Edits:
    up: list[Edit] = []
    down: list[Edit] = []
    for k, claim in enumerate(claims):
        if claim.answer != answer or claim.source is not None:
            continue
        others = [j for j, topic in enumerate(topics) if topic == topics[k] and not alike(claims[j].text, claim.text)]
        fitting = [j for j in others if claims[j].true != claim.true]
        if fitting:
            (down if claim.true else up).append(Edit(k, _picked(claims, fitting, pick)))
    return Edits(answer, tuple(up), tuple(down))


def _picked(claims: Sequence[Claim], places: Sequence[int], pick: Pick) -> int:
    """The truest of true, the falsest of false alternatives; of equals the first. Or simply the last."""
    return places[-1] if pick == "last_met" else max(places, key=lambda j: abs(claims[j].lead))


def _widest(claims: Sequence[Claim], edits: Edits) -> Edits:
    """The one edit between whose two sides the lead differs most, upward before downward."""
    widest = max((*edits.up, *edits.down), key=lambda edit: _width(claims, edit))
    up = (widest,) if widest in edits.up else ()
    return Edits(edits.base, up, () if up else (widest,))


def _width(claims: Sequence[Claim], edit: Edit) -> float:
    return abs(claims[edit.by].lead - claims[edit.claim].lead)


def _standing(claims: Sequence[Claim], answer: int) -> list[Claim]:
    return [claim for claim in claims if claim.answer == answer and claim.source is None]


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
