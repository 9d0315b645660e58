"""The run in a few words: key figures, the sentence that sums it up, evidence and provenance."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import yaml

from .report_data import Fact, Tile
from .report_diagnoses import diagnoses_of
from .report_figures import interval
from .report_measured_data import Distribution, Evidence, EvidenceLine, LengthBias
from .report_stages import HELD_OUT, rows_in, rows_out
from .report_text import accuracy, count, figure, money, percent, seconds, size, value_text

if TYPE_CHECKING:
    from ..core.view import RunView

EVIDENCE: Final = "diagnose.evidence"
_VERSIONS: Final = ("rather", "pyarrow", "numpy", "datasets", "duckdb")


def tiles(view: RunView, scores: Sequence[Distribution], length: LengthBias | None) -> tuple[Tile, ...]:
    """The key figures; those a run has not are left out."""
    ran = [line for line in view.funnel if line.skipped is None]
    came, left = rows_in(view), rows_out(view)
    made = sum(line.made for line in ran if line.shape != "source")
    dropped = sum(sum(line.dropped.values()) for line in ran)
    held = sum(line.dropped.get(HELD_OUT, 0) for line in ran)
    failed = sum(line.failed for line in ran)
    calls, reused = sum(line.calls for line in ran), sum(line.calls_reused for line in ran)
    tokens = sum(line.tokens for line in ran)
    found = [Tile("Rows in", count(came))]
    if made:
        found.append(Tile("Rows made", count(made)))
    found.append(Tile("Rows kept", count(left), note=percent(left / (came + made)) if came + made else "", tone="kept"))
    found.append(_loss("Dropped", dropped, f"{count(held)} of them held out" if held else ""))
    found.append(_loss("Failed", failed, "tried again by the next run" if failed else ""))
    if unanswered := sum(line.unanswered for line in ran):
        found.append(_loss("Unanswered", unanswered, "asked again by the next run"))
    found += _changes(scores, length)
    found.append(Tile("Model calls", count(calls), note=f"{count(reused)} reused" if reused else ""))
    spent = money(sum(line.usd for line in ran))
    found.append(Tile("Spend", spent, note=f"{count(tokens)} tokens" if tokens else ""))
    found.append(Tile("Time", seconds(view.seconds or sum(line.seconds for line in ran))))
    if view.peak_mib:
        found.append(Tile("Peak memory", size(view.peak_mib * 2**20)))
    return tuple(found)


def sentence(view: RunView, evidence: Sequence[Evidence]) -> str:
    """The result in one sentence: rows in, rows kept, and what held-out accuracy became."""
    came, left = rows_in(view), rows_out(view)
    noun = "pair" if {"chosen", "rejected"} <= set(_columns(view)) else "row"
    told = f"{count(came)} {noun}{'s' * (came != 1)} in, {count(left)} kept"
    if not view.funnel:
        return "Nothing has run yet"
    for part in evidence:
        by_set = {line.set: line for line in part.lines if line.source == "all"}
        if {"all rows", "kept"} <= set(by_set):
            told += f"; held-out accuracy {by_set['all rows'].accuracy} → {by_set['kept'].accuracy}"
            break
    return told


def evidence_of(view: RunView) -> tuple[Evidence, ...]:
    """What every evidence stage measured, from the facts it left."""
    asked = {line.stage for line in view.funnel if line.kind == EVIDENCE}
    return tuple(_evidence(stage, facts) for stage, facts in view.facts.items() if facts and stage in asked)


def facts_of(view: RunView) -> tuple[Fact, ...]:
    """What the other sinks left, as short lines."""
    told = {entry.stage for entry in evidence_of(view)} | {entry.stage for entry in diagnoses_of(view)}
    found = []
    for stage, facts in view.facts.items():
        lines = [(name.replace("_", " "), _fact(name, value)) for name, value in facts.items()]
        if stage not in told and any(words for _, words in lines):
            found.append(Fact(stage, tuple(line for line in lines if line[1])))
    return tuple(found)


def about_recipe(text: str) -> tuple[str, tuple[str, ...]]:
    """(name, header lines) of a recipe's text; the header is the comment it opens with."""
    header: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        words = line[1:].strip()
        if header and line.startswith("#  "):  # an indented line goes on with the one above
            header[-1] += f" {words}"
        elif words:
            header.append(words)
    recipe = yaml.safe_load(text) or {}
    return str(recipe.get("name") or "a run"), tuple(header[:4])


def provenance(view: RunView) -> tuple[tuple[str, str], ...]:
    """Where, with which seed and which versions the run was made."""
    found = [("run folder", str(view.path)), ("seed", str(view.seed)), ("python", platform.python_version())]
    for name in _VERSIONS:
        try:
            found.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            found.append((name, "not installed"))
    return tuple(found)


def _loss(label: str, rows: int, note: str) -> Tile:
    return Tile(label, count(rows), note=note, tone="loss" if rows else "")


def _changes(scores: Sequence[Distribution], length: LengthBias | None) -> list[Tile]:
    found = []
    margin = next((d for d in scores if "margin" in d.name and d.before.median is not None), None)
    if margin is not None:
        note = next((fact for fact in margin.facts if ":" in fact or "better" in fact), "")
        label = "Median margin" if margin.name == "margin" else f"Median {margin.name}"
        found.append(Tile(label, figure(margin.after.median), figure(margin.before.median), note))
    if length is not None:
        shares = percent(length.after), percent(length.before)
        found.append(Tile("Longer answer chosen", *shares, "one half is unbiased"))
    return found


def _columns(view: RunView) -> tuple[str, ...]:
    ran = [line.stage for line in view.funnel if line.skipped is None and line.shape == "source"]
    return view.frame(ran[0]).names if ran else ()


def _evidence(stage: str, facts: Mapping[str, Any]) -> Evidence:
    rows = facts["rows"]
    lows, highs = [row["low"] for row in rows], [row["high"] for row in rows]
    axis = (min(lows, default=0.0) - 0.02, max(highs, default=1.0) + 0.02)
    best = {
        source: max((row for row in rows if row["source"] == source), key=lambda row: row["accuracy"])["set"]
        for source in {row["source"] for row in rows}
    }
    lines = tuple(
        EvidenceLine(
            row["source"], row["set"], row["rows"],
            accuracy(row["accuracy"]), accuracy(row["low"]), accuracy(row["high"]), row["seeds"],
            interval(row["accuracy"], row["low"], row["high"], axis, f"{row['set']}: {accuracy(row['accuracy'])}"),
            best[row["source"]] == row["set"],
        )
        for row in rows
    )  # fmt: skip
    label, caveat = str(facts.get("label") or "unknown"), str(facts.get("caveat") or "")
    return Evidence(stage, label, int(facts["heldout"]), lines, caveat)


def _fact(name: str, value: Any) -> str:
    """A fact in a few words; empty when it has none: nested figures stay in the run folder."""
    if name == "bytes" and isinstance(value, (int, float)):
        return size(value)
    if isinstance(value, Mapping):
        plain = {key: _plain(item) for key, item in value.items() if not isinstance(item, (Mapping, list))}
        return ", ".join(f"{key.replace('_', ' ')} {item}" for key, item in plain.items())
    if isinstance(value, list):
        nested = any(isinstance(item, (Mapping, list)) for item in value)
        return count(len(value)) if nested else ", ".join(_plain(item) for item in value)
    return _plain(value)


def _plain(value: Any) -> str:
    return count(value) if isinstance(value, float) and value.is_integer() else value_text(value)
