"""Judgments as a reason and the number of the better answer, and how they are paired (Con-J)."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, final

from ..core.paid import Reply
from ..models.loose_json import loose_json
from ..models.verdict import Outcome, Reader, Verdict

_KEY: Final = re.compile(r"[\"']?\bbetter[\"']?\s*[:=]\s*[\"']?([12])\b")
_TOKEN: Final = re.compile(r"\w+|[^\w\s]")
_STOP: Final = re.compile(r"[.!?。！？](?=\s|$)")


@final
@dataclass(frozen=True)
class Judgment:
    """A reply; `better` is the number (1 or 2) of the answer it prefers, null where that cannot be read."""

    text: str
    method: str
    seed: int
    better: int | None = None
    reason: str = ""
    shortened: bool = False


@final
@dataclass(frozen=True)
class Pairing:
    """A better and a worse judgment, and where the two come from."""

    kind: str
    chosen: Judgment
    rejected: Judgment


def read_judgment(method: str, seed: int) -> Reader:
    """A `Judgment` of any reply that says something; one whose verdict cannot be read has none.

    JSON in a fence, bare or embedded in prose is read, then the key with its value. A reply that was
    cut off keeps its text without a verdict unless the verdict stands in it.
    """

    def read_it(reply: Reply) -> Verdict:
        text = reply.text.strip()
        if not text:
            return Verdict(Outcome.UNPARSABLE, why="nothing was said")
        value = _json(text)
        better, reason = value.get("better"), value.get("reason")
        found = {"1": 1, "2": 2}.get(str(better).strip())
        if found is None:
            keys = set(_KEY.findall(text))
            found = int(keys.pop()) if len(keys) == 1 else None
        judgment = Judgment(text, method, seed, found, reason if isinstance(reason, str) else "")
        return Verdict(Outcome.OK, judgment)

    return read_it


def shortened(judgment: Judgment, long_text: int, long_reason: int) -> Judgment:
    """A judgment over `long_text` characters with a reason over `long_reason` words and signs, its reason
    cut at the last full stop within them; any other as it is, and one without such a stop."""
    tokens = list(_TOKEN.finditer(judgment.reason))
    if len(judgment.text) <= long_text or len(tokens) <= long_reason or judgment.better is None:
        return judgment
    head = judgment.reason[: tokens[long_reason - 1].end()]
    stops = list(_STOP.finditer(head))
    if not stops:
        return judgment
    reason = head[: stops[-1].end()]
    text = json.dumps({"reason": reason, "better": judgment.better}, ensure_ascii=False)
    return replace(judgment, text=text, reason=reason, shortened=True)


def sampled_pairs(
    free: Sequence[Judgment], better: int, most: int, most_unknown: int, rng: random.Random
) -> list[Pairing]:
    """Right against wrong, each used once, at most `most`; then right against no verdict."""
    right = [j for j in free if j.better == better]
    wrong = [j for j in free if j.better == 3 - better]
    unknown = [j for j in free if j.better is None]
    for group in (right, wrong, unknown):
        rng.shuffle(group)
    pairs = [Pairing("best_of_n", a, b) for a, b in list(zip(right, wrong, strict=False))[:most]]
    format_pairs = list(zip(right, unknown, strict=False))[:most_unknown]
    return pairs + [Pairing("best_of_n_positive2unknown", a, b) for a, b in format_pairs]


def hint_pair(guide: Judgment, reverse: Judgment, better: int) -> Pairing | None:
    """The guided judgment against the one guided the other way; null when one contradicts its hint.

    Where one of the two has no verdict the pair is of the kind `preamble2unknown`; two without one
    tell nothing.
    """
    if not guide.text or not reverse.text or guide.better == 3 - better or reverse.better == better:
        return None
    if guide.better is not None and reverse.better is not None:
        return Pairing("preamble", guide, reverse)
    return None if guide.better is reverse.better else Pairing("preamble2unknown", guide, reverse)


def _json(text: str) -> dict[str, Any]:
    try:
        value = loose_json(text, repair=False)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
