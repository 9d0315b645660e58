"""Worse answers by rule: typed corruptions that need no model.

Each rule is a pure function of the answer and an explicit `random.Random`: the same generator state
gives the same corruption. A rule returns None where it does not apply (no number, no steps, ...);
otherwise the text differs from the answer in its words, not only in case, spacing or punctuation.
Negation and the swaps of numbers and names are the text transformations of FactCC (Kryściński et
al., 2020); the other rules are the house's own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from random import Random
from types import MappingProxyType
from typing import Final, final

from .entities import ANY_NAME, ANY_THING, Entity, find_entities
from .negations import negations
from .numerals import find_numerals, replacement
from .steplists import StepList, find_steps

_TOKEN = re.compile(r"\w+")


@final
@dataclass(frozen=True)
class Corruption:
    """A worse answer, and what was done to it as flat values that JSON can hold."""

    text: str
    params: Mapping[str, str | int | float]


def normalised(text: str) -> str:
    """The words of `text` in NFKC and case-folded, joined by single spaces."""
    return " ".join(_TOKEN.findall(unicodedata.normalize("NFKC", text).casefold()))


def topic_swap(answer: str, neighbor_answer: str) -> Corruption | None:
    """The answer to a neighbouring prompt instead: fluent, true, and beside the question.

    `overlap` in [0, 1] is the Jaccard index of the two answers' words: higher is harder to spot.
    """
    mine, theirs = set(normalised(answer).split()), set(normalised(neighbor_answer).split())
    if not mine:
        return None
    overlap = len(mine & theirs) / len(mine | theirs)
    return _made(answer, neighbor_answer.strip(), {"overlap": round(overlap, 4)})


def wrong_number(answer: str, rng: Random) -> Corruption | None:
    """One number becomes another of the same format, wherever it stands in the answer.

    Separators, decimals, signs, units and ordinal endings stay; a percentage stays within 100, a
    year moves by 2 to 25, a day stays within its month, a range stays ordered, and the new number
    stands nowhere else in the answer. Spelt numbers change only where there are no digits.
    """
    numerals = find_numerals(answer)
    targets = sorted({replace(numeral, start=0) for numeral in numerals}, key=astuple)
    rng.shuffle(targets)
    taken = {target.text for target in targets}
    for target in targets:
        draws = (replacement(target, rng) for _ in range(4))
        other = next((draw for draw in draws if draw not in taken), None)
        if other is None:
            continue
        starts = [n.start for n in numerals if replace(n, start=0) == target]
        made = _splice(answer, [(start, start + len(target.text), other) for start in starts])
        params = {"from": target.text, "to": other, "role": target.role}
        if corruption := _made(answer, made, {**params, "count": len(starts)}):
            return corruption
    return None


def negation(answer: str, rng: Random) -> Corruption | None:
    """One sentence says the opposite: *not* or *never* put in or taken out, the verb adjusted."""
    edits = negations(answer)
    if not edits:
        return None
    edit = rng.choice(edits)
    made = _splice(answer, [(edit.start, edit.end, edit.text)])
    params = {"from": answer[edit.start : edit.end], "to": edit.text, "rule": edit.rule}
    return _made(answer, made, params)


def wrong_entity(answer: str, rng: Random, entities: Mapping[str, Sequence[str]]) -> Corruption | None:
    """One name becomes another of its kind from `entities` (kind to names, as `entity_pool` makes).

    A name of a recognised kind is taken before one of which only the capitals are known. Every
    mention changes, and a person's later surname with it.
    """
    found = find_entities(answer)
    rng.shuffle(found)
    found.sort(key=lambda entity: entity.kind in (ANY_NAME, ANY_THING))
    for entity in found:
        other = _another(entity, answer, rng, entities.get(entity.kind, ()))
        if other is None:
            continue
        made = _rename(answer, entity, other)
        params = {"from": entity.name, "to": other, "kind": entity.kind}
        if corruption := _made(answer, made, params):
            return corruption
    return None


def truncation(answer: str, rng: Random) -> Corruption | None:
    """The answer breaks off inside a sentence, 30 to 70 % of its characters kept (`kept`)."""
    text = answer.strip()
    size = len(text)
    low, high = -(-size * 3 // 10), size * 7 // 10
    cuts = [i for i in range(max(low, 1), high + 1) if i < size and _inside_sentence(text, i)]
    if not cuts:
        return None
    cut = rng.choice(cuts)
    return _made(answer, text[:cut], {"kept": round(cut / size, 4)})


def shuffled_steps(answer: str, rng: Random) -> Corruption | None:
    """The steps of an ordered list in another order, numbered 1 to n again.

    `order` lists the old numbers in their new order; punctuation between the steps stays in place.
    """
    steps = find_steps(answer)
    if steps is None:
        return None
    order = _shuffle([normalised(body) for body in steps.bodies], rng)
    if order is None:
        return None
    moved = sum(place != old for place, old in enumerate(order))
    named = ",".join(str(old + 1) for old in order)
    return _made(answer, _reordered(steps, order), {"order": named, "moved": moved})


KINDS: Final[Mapping[str, Callable[..., Corruption | None]]] = MappingProxyType(
    {
        "topic_swap": topic_swap,
        "wrong_number": wrong_number,
        "negation": negation,
        "wrong_entity": wrong_entity,
        "truncation": truncation,
        "shuffled_steps": shuffled_steps,
    }
)
"""Every kind by name. Beside the answer, `topic_swap` takes a neighbour's answer, `wrong_entity` a
generator and a pool, and the others a generator."""


def _made(answer: str, text: str, params: Mapping[str, str | int | float]) -> Corruption | None:
    words = normalised(text)
    if not words or words == normalised(answer):
        return None
    return Corruption(text, MappingProxyType(dict(params)))


def _splice(text: str, edits: Sequence[tuple[int, int, str]]) -> str:
    parts, done = [], 0
    for start, end, new in sorted(edits):
        parts += [text[done:start], new]
        done = end
    return "".join(parts) + text[done:]


def _another(entity: Entity, answer: str, rng: Random, names: Sequence[str]) -> str | None:
    """A name that the answer does not hold: one draw, then onwards, so a big pool costs nothing."""
    if not names:
        return None
    taken, first = f" {normalised(answer)} ", rng.randrange(len(names))
    for step in range(len(names)):
        name = names[(first + step) % len(names)]
        if (words := normalised(name)) and f" {words} " not in taken:
            return name
    return None


def _rename(answer: str, entity: Entity, other: str) -> str:
    old, new = entity.name.split(), other.split()
    renames = [(entity.name, other)]
    if entity.kind == "person" and len(old) > 1 and len(new) > 1:
        renames.append((old[-1], new[-1]))
    for name, replaced in renames:
        article = "an" if replaced[0].lower() in "aeio" else "a"
        pattern = rf"(?<!\w)(?:([Aa])n? )?{re.escape(name)}(?!\w)"

        def put(match: re.Match[str], replaced: str = replaced, article: str = article) -> str:
            return f"{match[1]}{article[1:]} {replaced}" if match[1] else replaced

        answer = re.sub(pattern, put, answer)
    return answer


def _inside_sentence(text: str, cut: int) -> bool:
    before, after = text[cut - 1], text[cut]
    ideographic = ord(before) >= 0x2E80 and ord(after) >= 0x2E80
    return before.isalnum() and (after == " " or (ideographic and after.isalnum()))


def _shuffle(bodies: Sequence[str], rng: Random) -> list[int] | None:
    """A permutation under which the sequence of bodies changes; None when all bodies are equal."""
    order = list(range(len(bodies)))
    rng.shuffle(order)
    if any(bodies[old] != bodies[place] for place, old in enumerate(order)):
        return order
    other = next((place for place, body in enumerate(bodies) if body != bodies[0]), None)
    if other is None:
        return None
    order = list(range(len(bodies)))
    order[0], order[other] = other, 0
    return order


def _reordered(steps: StepList, order: Sequence[int]) -> str:
    parts = [steps.head]
    for marker, old, tail in zip(steps.markers, order, steps.tails, strict=True):
        parts += [marker, steps.bodies[old], tail]
    return "".join(parts) + steps.rest
