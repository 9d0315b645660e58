"""From what a judge wrote to a verdict: choices, rankings, yes or no, JSON, text (scores: `score_reader`).

Every reader looks for the strictest form first, then for a refusal, then for looser forms; where a form
stands several times, the last one counts. A reply that was cut off is only read in its strict forms.
No reader raises.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from ..core.paid import Reply
from .json_schema import OFF, fault_of
from .loose_json import loose_json
from .replies import failed, is_refusal, json_or_none, reader_of, said
from .verdict import Outcome, Reader, Verdict

_CHOICE_NAMES: Final = r"winner|verdict|choice|answer|better|preferred|preference|decision|best|judg[e]?ment"
_LABELLED: Final = re.compile(rf"(?:(?:my|the|final|overall) )*(?:{_CHOICE_NAMES})[\s*_]*[:=]", re.IGNORECASE)
_EDGES: Final = " \t*_`'\".:,;!()[]{}#"
_TIES: Final = r"tie|draw|equal|equally good|equally bad|neither|both|same|no preference"


def read_choice(allowed: Sequence[str] = ("A", "B", "tie")) -> Reader:
    """One of `allowed`, as it is written there.

    Forms, strictest first: `[[A]]` and its localised kin, \\boxed{A}; JSON under a name such as
    winner; a first or last line that is the answer alone, or `verdict: A`; `the better answer is A`; a bare A.
    `[[C]]` is a tie where tie is allowed and C is not (MT-Bench).
    """
    labels = _labels(allowed)
    one = rf"(?:{_one_of(allowed)}|(?i:{_TIES}))" if "tie" in labels else _one_of(allowed)
    bracketed = one if "tie" not in labels or "C" in allowed else rf"(?:{one}|C)"
    strict = re.compile(rf"(?:\[\[|\[|【|「|『|\\boxed\{{|<answer>)\s*({bracketed})\s*(?:\]|】|」|』|\}}|</answer>)")
    named = re.compile(
        rf"(?i:\b(?:answer|response|assistant|output|option|candidate|{_CHOICE_NAMES})\b)[\s*_\"'`:=]*"
        rf"(?i:is|goes to|should be)?(?:\s+(?i:answer|response|assistant|output|option))?[\s*_\"'`:=(]*({one})(?![\w'])"
    )
    bare = re.compile(rf"(?<![\w'])({one})(?![\w'])(?!\s+(?!is\b|wins\b|was\b|has\b)[a-z])")
    pairs = re.compile(rf"({one})\s*(?i:or|and|vs\.?|/)\s*({one})(?![\w'])")

    def strictly(text: str) -> str | None:
        found = strict.findall(text)
        return labels[found[-1].casefold()] if found else _in_json(text, labels) or _alone(text, labels)

    def loosely(text: str) -> str | None:
        text = pairs.sub(" ", text)
        found = named.findall(text) or bare.findall(text)
        return labels.get(found[-1].casefold()) if found else None

    return reader_of(strictly, loosely)


def read_yes_no() -> Reader:
    """True for yes, False for no; other languages' words for them are not known."""
    read = read_choice(("yes", "no"))

    def read_it(reply: Reply) -> Verdict:
        verdict = read(reply)
        return Verdict(verdict.outcome, verdict.value == "yes", verdict.why) if verdict.ok else verdict

    return read_it


def read_ranking(k: int, labels: Sequence[str] = ()) -> Reader:
    """Best first, a list of all of 0 … k-1; `labels` name the k answers (default A, B, …).

    Read as `B > A > C`, `[[B, A, C]]`, a JSON list, numbered lines, or the labels in order; numbers
    count from 1. A ranking that leaves one out or names one twice is unparsable.
    """
    names = list(labels) or [chr(ord("A") + i) for i in range(k)]
    places = {name.casefold(): i for i, name in enumerate(names)} | {str(i + 1): i for i in range(k)}
    label = rf"(?:{_one_of(names)}|\d+)"
    chain = re.compile(rf"(?<![\w']){label}(?:\W{{0,3}}(?:>|≻|,|→|->)\W{{0,3}}{label}){{{k - 1},}}(?![\w'])")
    line = re.compile(
        rf"^\s*(?:\d+[.):]|[-*#]+)\s*(?:(?i:answer|response|output)\s+)?\W{{0,3}}({label})\b", re.MULTILINE
    )

    def ranked(found: Sequence[str]) -> list[int] | None:
        order = [places.get(item.casefold().strip(), -1) for item in found]
        return order if sorted(order) == list(range(k)) else None

    def strictly(text: str) -> list[int] | None:
        chains = chain.findall(text)
        for found in (chains[-1:] and re.findall(label, chains[-1]), line.findall(text)):
            order = ranked(found) if found else None
            if order is not None:
                return order
        value = json_or_none(text)
        value = next((v for v in value.values() if isinstance(v, list)), None) if isinstance(value, dict) else value
        return ranked([str(item) for item in value]) if isinstance(value, list) else None

    return reader_of(strictly, lambda text: ranked(re.findall(rf"(?<![\w']){label}(?![\w'])", text)))


def read_json(schema: type[BaseModel] | Mapping[str, Any]) -> Reader:
    """JSON that fits a schema: an instance of a pydantic class, or plain values for a JSON Schema.

    Repaired as a last resort, never when the reply was cut off; off_scale when all that is wrong is
    a number out of its range.
    """

    def read_it(reply: Reply) -> Verdict:
        text = said(reply)
        try:
            value = loose_json(text, repair=reply.finish != "length")
        except (ValueError, RecursionError) as error:
            return failed(reply, str(error))
        if not isinstance(schema, type):
            fault = fault_of(value, schema)
            outcome = Outcome.OFF_SCALE if fault.startswith(OFF) else Outcome.UNPARSABLE
            return Verdict(outcome, why=fault) if fault else Verdict(Outcome.OK, value)
        try:
            return Verdict(Outcome.OK, schema.model_validate(value))
        except ValidationError as error:
            kinds = {detail["type"] for detail in error.errors()}
            off = kinds <= {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}
            why = "; ".join(f"{'.'.join(map(str, d['loc']))}: {d['msg']}" for d in error.errors())
            return Verdict(Outcome.OFF_SCALE if off else Outcome.UNPARSABLE, why=why)

    return read_it


def read_text(reply: Reply) -> Verdict:
    """The reply itself, without a model's thinking aloud; unparsable when empty, or a refusal."""
    text = said(reply).strip()
    if not text or reply.finish == "length" or is_refusal(reply):
        return failed(reply, "nothing was said")
    return Verdict(Outcome.OK, text)


def _labels(allowed: Sequence[str]) -> dict[str, str]:
    """The labels by how they may be written, in lower case: a tie has many words."""
    labels = {label.casefold(): label for label in allowed}
    if "tie" not in labels:
        return labels
    return {"c": labels["tie"]} | labels | {word: labels["tie"] for word in _TIES.split("|")}


def _one_of(labels: Sequence[str]) -> str:
    """A pattern for the labels: single letters as they are, words in any case."""
    words = sorted(labels, key=len, reverse=True)
    return "|".join(re.escape(word) if len(word) == 1 else f"(?i:{re.escape(word)})" for word in words)


def _alone(text: str, labels: Mapping[str, str]) -> str | None:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    for line in (lines[-1], lines[0]) if lines else ():
        bare = _LABELLED.sub("", line.strip(_EDGES)).strip(_EDGES)
        if bare.casefold() in labels:
            return labels[bare.casefold()]
    return None


def _in_json(text: str, labels: Mapping[str, str]) -> str | None:
    value = json_or_none(text)
    for name, item in value.items() if isinstance(value, dict) else ():
        if re.search(_CHOICE_NAMES, str(name), re.IGNORECASE) and str(item).strip().casefold() in labels:
            return labels[str(item).strip().casefold()]
    return None
