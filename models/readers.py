"""From what a judge wrote to a verdict: choices, scores, rankings, yes or no, JSON.

Every reader looks for the strictest form first, then for a refusal, then for looser forms; where a form
stands several times, the last one counts. A reply that was cut off is only read in its strict forms.
No reader raises.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from ..core.paid import Reply
from .json_schema import OFF, fault_of
from .loose_json import loose_json
from .spreads import choice_spread, entropy, expected_score
from .verdict import Outcome, Reader, Verdict

__all__ = [
    "choice_spread", "entropy", "expected_score", "is_refusal",
    "read_choice", "read_json", "read_ranking", "read_score", "read_text", "read_yes_no",
]  # fmt: skip

_REFUSAL_WORDS: Final = 60
_REFUSAL: Final = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|unable|not able|afraid)"
    r"|i (?:cannot|can't|can not|won't|will not|must decline|do not feel comfortable)"
    r"|as an ai\b|as a language model|i apologi[sz]e|unable to (?:assist|help|comply|judge|evaluate)"
    r"|je suis désolé|je ne peux pas|lo siento|no puedo|es tut mir leid|ich kann (?:dir |ihnen )?(?:dabei )?nicht)\b"
    r"|抱歉|对不起|很遗憾|我无法|我不能|申し訳|できません|죄송",
    re.IGNORECASE,
)  # fmt: skip
_NUMBER: Final = r"[-+]?\d+(?:[.,]\d+)?"
_SCORE_NAMES: Final = r"score|rating|grade|overall|points?|mark|评分|分数|得分|総合評価"
_CHOICE_NAMES: Final = r"winner|verdict|choice|answer|better|preferred|preference|decision|best|judg[e]?ment"
_LABELLED: Final = re.compile(rf"(?:(?:my|the|final|overall) )*(?:{_CHOICE_NAMES})[\s*_]*[:=]", re.IGNORECASE)
_EDGES: Final = " \t*_`'\".:,;!()[]{}#"
_THINKING: Final = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
_TIES: Final = r"tie|draw|equal|equally good|equally bad|neither|both|same|no preference"


def is_refusal(reply: Reply) -> bool:
    """Whether the model declined: it says so in `finish`, or in a short reply."""
    if reply.finish in ("refusal", "content_filter"):
        return True
    return len(reply.text.split()) <= _REFUSAL_WORDS and _REFUSAL.search(_plain(reply.text)) is not None


def read_choice(allowed: Sequence[str] = ("A", "B", "tie")) -> Reader:
    """One of `allowed`, as it is written there.

    Forms, strictest first: `[[A]]` and its localised kin, \\boxed{A}; JSON under a name such as
    winner; a first or last line that is the answer alone, or `verdict: A`; `the better answer is A`; a bare A.
    `[[C]]` is a tie where tie is allowed and C is not (MT-Bench).
    """
    labels = {label.casefold(): label for label in allowed}
    one = _one_of(allowed)
    if "tie" in labels:
        labels |= {word: labels["tie"] for word in _TIES.split("|")} | ({} if "c" in labels else {"c": labels["tie"]})
        one = rf"(?:{one}|(?i:{_TIES}))"
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

    return _reader(strictly, loosely)


def read_yes_no() -> Reader:
    """True for yes, False for no; other languages' words for them are not known."""
    read = read_choice(("yes", "no"))

    def read_it(reply: Reply) -> Verdict:
        verdict = read(reply)
        return Verdict(verdict.outcome, verdict.value == "yes", verdict.why) if verdict.ok else verdict

    return read_it


def read_score(low: float, high: float) -> Reader:
    """A number in [low, high]; off_scale when what stands for the score lies outside.

    Forms, strictest first: `[[7]]`; JSON under a name such as score; the number alone, or a last line
    `score: 7`; `7/10`, `7 out of 10`, `score: 7`; the last number on the scale. A fraction of
    another whole is off the scale.
    """
    strict = re.compile(rf"(?:\[\[|\[|【|\\boxed\{{|<score>)\s*({_NUMBER})\s*(?:/\s*\d+\s*)?(?:\]|】|\}}|</score>)")
    named = re.compile(rf"(?i:\b(?:{_SCORE_NAMES}))[^\d\n+-]{{0,24}}?({_NUMBER})(?!\s*[-–]\s*\d)")
    fraction = re.compile(rf"({_NUMBER})\s*(?:/|out of|von|sur|de)\s*({_NUMBER})")
    alone = re.compile(rf"\W{{0,4}}?({_NUMBER})(?:\s*/\s*({_NUMBER}))?\W{{0,4}}")
    labelled = re.compile(
        rf"\W{{0,4}}(?i:(?:my |the |final )*(?:{_SCORE_NAMES}))[\s*_]*[:=]\W{{0,4}}?({_NUMBER})"
        rf"(?:\s*/\s*({_NUMBER}))?\W{{0,4}}"
    )

    def firmly(text: str) -> float | None:
        line = labelled.fullmatch(text.strip().rpartition("\n")[2].strip())
        return _of(line[1], line[2]) if line else None

    def strictly(text: str) -> float | None:
        found = strict.findall(text)
        if found:
            return _float(found[-1])
        number = _number_in_json(text)
        whole = alone.fullmatch(text.strip())
        if number is None and whole:
            return _of(whole[1], whole[2])
        return number

    def loosely(text: str) -> float | None:
        for found in (fraction.findall(text), [(n, "") for n in named.findall(text)]):
            if found:
                return _of(*found[-1])
        numbers = [_float(n) for n in re.findall(rf"(?<![\w.]){_NUMBER}(?!\w)", text)]
        inside = [n for n in numbers if low <= n <= high]
        return (inside or numbers)[-1] if numbers else None

    def _of(number: str, whole: str) -> float:
        return _float(number) if not whole or _float(whole) == high else float("nan")

    return _reader(strictly, loosely, lambda value: low <= value <= high, firmly)


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
        value = _json_or_none(text)
        value = next((v for v in value.values() if isinstance(v, list)), None) if isinstance(value, dict) else value
        return ranked([str(item) for item in value]) if isinstance(value, list) else None

    return _reader(strictly, lambda text: ranked(re.findall(rf"(?<![\w']){label}(?![\w'])", text)))


def read_json(schema: type[BaseModel] | Mapping[str, Any]) -> Reader:
    """JSON that fits a schema: an instance of a pydantic class, or plain values for a JSON Schema.

    Repaired as a last resort, never when the reply was cut off; off_scale when all that is wrong is
    a number out of its range.
    """

    def read_it(reply: Reply) -> Verdict:
        text = _said(reply)
        try:
            value = loose_json(text, repair=reply.finish != "length")
        except (ValueError, RecursionError) as error:
            return _failed(reply, str(error))
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
    text = _said(reply).strip()
    if not text or reply.finish == "length" or is_refusal(reply):
        return _failed(reply, "nothing was said")
    return Verdict(Outcome.OK, text)


def _reader(
    strictly: Callable[[str], Any],
    loosely: Callable[[str], Any],
    on_scale: Callable[[Any], bool] = lambda _: True,
    firmly: Callable[[str], Any] = lambda _: None,
) -> Reader:
    """`firmly` reads what is clear when the reply is whole, even where it speaks of a refusal."""

    def read_it(reply: Reply) -> Verdict:
        text = _plain(_said(reply))
        value = strictly(text)
        if value is None and reply.finish != "length":
            value = firmly(text)
            if value is None and not is_refusal(reply):
                value = loosely(text)
        if value is None:
            return _failed(reply, "no verdict in the reply")
        if not on_scale(value):
            return Verdict(Outcome.OFF_SCALE, why=f"{value} is off the scale")
        return Verdict(Outcome.OK, value, why=text)

    return read_it


def _said(reply: Reply) -> str:
    """The reply without a model's thinking aloud."""
    return _THINKING.sub("", reply.text) if "<think" in reply.text else reply.text


def _failed(reply: Reply, why: str) -> Verdict:
    if reply.finish == "length":
        return Verdict(Outcome.TRUNCATED, why=why)
    return Verdict(Outcome.REFUSED if is_refusal(reply) else Outcome.UNPARSABLE, why=reply.text[:500] or why)


def _plain(text: str) -> str:
    """Full-width letters, digits and signs as plain ones; curly apostrophes straight."""
    return text.replace("’", "'") if text.isascii() else unicodedata.normalize("NFKC", text).replace("’", "'")


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
    value = _json_or_none(text)
    for name, item in value.items() if isinstance(value, dict) else ():
        if re.search(_CHOICE_NAMES, str(name), re.IGNORECASE) and str(item).strip().casefold() in labels:
            return labels[str(item).strip().casefold()]
    return None


def _number_in_json(text: str) -> float | None:
    value = _json_or_none(text)
    for name, item in value.items() if isinstance(value, dict) else ():
        if re.search(_SCORE_NAMES, str(name), re.IGNORECASE) and not isinstance(item, bool):
            number = re.fullmatch(_NUMBER, str(item).strip())
            if number:
                return _float(number[0])
    return None


def _json_or_none(text: str) -> Any:
    if "{" not in text and "[" not in text:
        return None
    try:
        return loose_json(text, repair=False)
    except (ValueError, RecursionError):
        return None


def _float(number: str) -> float:
    return float(number.replace(",", "."))
