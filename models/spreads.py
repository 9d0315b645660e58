"""How sure a judge was: the chances of the allowed answers, read off log-probabilities.

`reply.data["logprobs"][0]` is a list over the tokens of the first reply: {token, logprob, top: [[token, logprob], …]}.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..core.paid import Reply

_AROUND: Final = " \t\n\r'\"`*_.:,;!()[]{}<>【】「」"
_SHORTEST_PART: Final = 2


def choice_spread(reply: Reply, allowed: Sequence[str]) -> dict[str, float] | None:
    """Chance of each allowed answer at the token that gives the verdict, summing to 1; None without one.

    The verdict's token is the last one that is an allowed answer, or begins one no other begins with.
    The forms of an answer (leading space, quotes, brackets) are added up. G-Eval, Liu et al., 2023.
    """
    place = _place(reply, allowed)
    if place is None:
        return None
    seen = {str(token): float(logprob) for token, logprob in place.get("top") or ()}
    seen.setdefault(str(place.get("token", "")), float(place.get("logprob", 0.0)))
    mass = dict.fromkeys(allowed, 0.0)
    for token, logprob in seen.items():
        answer = _answer(token, allowed)
        if answer is not None and logprob <= 0.0:
            mass[answer] += math.exp(logprob)
    total = sum(mass.values())
    return {answer: share / total for answer, share in mass.items()} if total > 0 else None


def expected_score(reply: Reply, allowed: Sequence[int]) -> float | None:
    """Mean of the allowed scores weighted by their chances; None without log-probabilities."""
    spread = choice_spread(reply, [str(score) for score in allowed])
    return None if spread is None else sum(int(score) * chance for score, chance in spread.items())


def entropy(spread: Mapping[str, float]) -> float:
    """Shannon entropy of a spread in nats, 0 (certain) to ln n (no idea)."""
    return -sum(chance * math.log(chance) for chance in spread.values() if chance > 0)


def _place(reply: Reply, allowed: Sequence[str]) -> Mapping[str, Any] | None:
    choices = (reply.data or {}).get("logprobs") or []
    tokens: Sequence[Mapping[str, Any]] = (choices[0] if choices else None) or []
    texts = [str(token.get("token", "")) for token in tokens]
    for i in range(len(tokens) - 1, -1, -1):
        if _answer(texts[i], allowed) is None:
            continue
        # "1" before "0" is half of 10: its chances are those of two scores at once.
        before, after = texts[i - 1][-1:] if i else "", texts[i + 1][:1] if i + 1 < len(texts) else ""
        if texts[i].strip(_AROUND)[-1:].isdigit() and (after.isdigit() or before.isdigit()):
            continue
        return tokens[i]
    return None


def _answer(token: str, allowed: Sequence[str]) -> str | None:
    bare = token.replace("Ġ", " ").replace("▁", " ").strip(_AROUND)
    if not bare:
        return None
    for answer in allowed:
        if bare == answer or (len(answer) > 1 and bare.casefold() == answer.casefold()):
            return answer
    if len(bare) < _SHORTEST_PART or bare.isdigit():
        return None
    begun = [answer for answer in allowed if answer.casefold().startswith(bare.casefold())]
    return begun[0] if len(begun) == 1 else None
