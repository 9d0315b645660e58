"""The places where an English text can be made to say its opposite by one small edit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, final

from .entities import prose
from .lexicon import (
    AUXILIARIES,
    DETERMINERS,
    IMPERATIVES,
    NOUN_LIKE,
    OBJECT_LIKE,
    PAST,
    THIRD_PERSON,
)

_SENTENCE = re.compile(r"(?:[^.!?\n]|[.](?=\w))+[.!?]?")
_NEGATIVE = re.compile(
    r"\b(?:not|no|none|nothing|nobody|never|neither|nor|without|hardly|rarely|cannot|always)\b|n['’]t\b",
    re.IGNORECASE,
)
_FREE = (
    r"(?!\s+(?:only|just|merely|necessarily|always|all|every|you|it|they|he|she|we|I)\b)"
    r"(?![^.!?]{0,120}\b(?:but|until)\b)"
)
_BASE_OF: Final = {**THIRD_PERSON, **PAST}
_THIRD_OF: Final = {"be": "is", **{base: third for third, base in THIRD_PERSON.items()}}
_VERB = re.compile(rf"\b(?:{'|'.join(sorted(AUXILIARIES))}|(?:has|have|had)(?= been\b))\b(?=\s+\w)")
_SIMPLE = re.compile(rf"\b(?:{'|'.join(sorted(_BASE_OF))})\b(?=\s+\w)")
_COMMAND = re.compile(r"\W*([A-Z][a-z]+)\s+(\w+)")


@final
@dataclass(frozen=True)
class Edit:
    """Replace characters `start` to `end` by `text`; `rule` names the kind of edit."""

    start: int
    end: int
    text: str
    rule: str


def negations(text: str) -> list[Edit]:
    """Every edit that turns one statement or command of `text` into its opposite, in order.

    Questions and code are left alone. Negatives are taken out (`removed`, `swapped`); a sentence
    that has none gets one at its first verb (`inserted`) or command (`forbidden`).
    """
    edits: list[Edit] = []
    for sentence in _SENTENCE.finditer(prose(text)):
        said = sentence.group()
        if said.endswith("?"):
            continue
        found = _removals(said) if _NEGATIVE.search(said) else _insertions(said)
        offset = sentence.start()
        edits += [Edit(e.start + offset, e.end + offset, e.text, e.rule) for e in found]
    return edits


def _removals(said: str) -> Iterator[Edit]:
    for pattern, rewrite, rule in _NEGATIVES:
        for match in pattern.finditer(said):
            yield Edit(match.start(), match.end(), _like(match.group(), rewrite(match)), rule)


def _insertions(said: str) -> Iterator[Edit]:
    command = _COMMAND.match(said)
    if command and command[1] in IMPERATIVES and _is_object(command[2]):
        yield Edit(command.start(1), command.end(1), f"Do not {command[1].lower()}", "forbidden")
        return
    for verb in _VERB.finditer(said):
        if verb.group() in NOUN_LIKE and _word_before(said, verb.start()) in DETERMINERS:
            continue
        negated = "cannot" if verb.group() == "can" else f"{verb.group()} not"
        yield Edit(verb.start(), verb.end(), negated, "inserted")
        return
    for verb in _SIMPLE.finditer(said):
        before = _word_before(said, verb.start())
        if not before or before in DETERMINERS or before in ("to", "by"):
            continue
        auxiliary = "does" if verb.group() in THIRD_PERSON else "did"
        text = f"{auxiliary} not {_BASE_OF[verb.group()]}"
        yield Edit(verb.start(), verb.end(), text, "inserted")
        return


def _is_object(word: str) -> bool:
    return word in OBJECT_LIKE or word[0].isdigit()


def _word_before(said: str, start: int) -> str:
    words = re.findall(r"[\w'’]+\W*\Z", said[max(0, start - 40) : start])
    return words[0].strip().lower() if words else ""


def _like(old: str, new: str) -> str:
    """`new` with a capital where `old` opens with one."""
    return new[0].upper() + new[1:] if old[0].isupper() else new


def _without_do(match: re.Match[str]) -> str:
    return match[1].lower()


def _third_person(match: re.Match[str]) -> str:
    verb: str = match[1]
    if verb.endswith("ly") or verb in ("also", "even", "often", "yet", "ever"):
        return f"does {verb}"
    if verb in _THIRD_OF:
        return _THIRD_OF[verb]
    if verb.endswith(("s", "x", "z", "ch", "sh", "o")):
        return f"{verb}es"
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return f"{verb[:-1]}ies"
    return f"{verb}s"


def _auxiliary(match: re.Match[str]) -> str:
    stem = match[1].lower()
    return {"ca": "can", "wo": "will", "sha": "shall"}.get(stem, stem)


def _constant(text: str) -> Callable[[re.Match[str]], str]:
    return lambda match: text


def _negative(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_NEGATIVES: Final = (
    (_negative(rf"\b(is|are|was|were|could|will|would|should|must|has|have|had|can) not\b{_FREE}"),
     _auxiliary, "removed"),
    (_negative(rf"\bcannot\b{_FREE}"), _constant("can"), "removed"),
    (_negative(rf"\bdo(?: not|n['’]t)\b{_FREE} ([a-z]+)"), _without_do, "removed"),
    (_negative(rf"\bdoes(?: not|n['’]t)\b{_FREE} ([a-z]+)"), _third_person, "removed"),
    (_negative(rf"\bdid(?: not|n['’]t)\b{_FREE}"), _constant("did"), "removed"),
    (_negative(rf"\b(ca|wo|sha|is|are|was|were|could|would|should|must|has|have|had)n['’]t\b{_FREE}"),
     _auxiliary, "removed"),
    (_negative(r"\bnever\b"), _constant("always"), "swapped"),
    (_negative(r"\balways\b"), _constant("never"), "swapped"),
)  # fmt: skip
