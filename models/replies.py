"""What a reply says before anything is read from it: refused or not, thinking left out, strict forms before loose."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any, Final

from ..core.paid import Reply
from .loose_json import loose_json
from .verdict import Outcome, Reader, Verdict

_REFUSAL_WORDS: Final = 60
_REFUSAL: Final = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|unable|not able|afraid)"
    r"|i (?:cannot|can't|can not|won't|will not|must decline|do not feel comfortable)"
    r"|as an ai\b|as a language model|i apologi[sz]e|unable to (?:assist|help|comply|judge|evaluate)"
    r"|je suis désolé|je ne peux pas|lo siento|no puedo|es tut mir leid|ich kann (?:dir |ihnen )?(?:dabei )?nicht)\b"
    r"|抱歉|对不起|很遗憾|我无法|我不能|申し訳|できません|죄송",
    re.IGNORECASE,
)  # fmt: skip
_THINKING: Final = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)


def is_refusal(reply: Reply) -> bool:
    """Whether the model declined: it says so in `finish`, or in a short reply."""
    if reply.finish in ("refusal", "content_filter"):
        return True
    return len(reply.text.split()) <= _REFUSAL_WORDS and _REFUSAL.search(plain(reply.text)) is not None


def reader_of(
    strictly: Callable[[str], Any],
    loosely: Callable[[str], Any],
    on_scale: Callable[[Any], bool] = lambda _: True,
    firmly: Callable[[str], Any] = lambda _: None,
) -> Reader:
    """`firmly` reads what is clear when the reply is whole, even where it speaks of a refusal."""

    def read_it(reply: Reply) -> Verdict:
        text = plain(said(reply))
        value = strictly(text)
        if value is None and reply.finish != "length":
            value = firmly(text)
            if value is None and not is_refusal(reply):
                value = loosely(text)
        if value is None:
            return failed(reply, "no verdict in the reply")
        if not on_scale(value):
            return Verdict(Outcome.OFF_SCALE, why=f"{value} is off the scale")
        return Verdict(Outcome.OK, value, why=text)

    return read_it


def said(reply: Reply) -> str:
    """The reply without a model's thinking aloud."""
    return _THINKING.sub("", reply.text) if "<think" in reply.text else reply.text


def failed(reply: Reply, why: str) -> Verdict:
    if reply.finish == "length":
        return Verdict(Outcome.TRUNCATED, why=why)
    return Verdict(Outcome.REFUSED if is_refusal(reply) else Outcome.UNPARSABLE, why=reply.text[:500] or why)


def plain(text: str) -> str:
    """Full-width letters, digits and signs as plain ones; curly apostrophes straight."""
    return text.replace("’", "'") if text.isascii() else unicodedata.normalize("NFKC", text).replace("’", "'")


def json_or_none(text: str) -> Any:
    if "{" not in text and "[" not in text:
        return None
    try:
        return loose_json(text, repair=False)
    except (ValueError, RecursionError):
        return None
