"""Drawing several answers to a prompt from a chat model, for scores that compare them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa

from ..core.paid import Reply
from ..models.asking import samples_of
from ..models.replies import is_refusal
from ..models.verdict import Asker, Outcome, Verdict, ask_verdicts
from .judging import pictures_of

UNSURE: Final = "I do not know."


def drawn(model: Asker, batch: pa.Table, n: int, temperature: float, max_tokens: int) -> list[Verdict | None]:
    """n answers to each row's prompt as a list of texts; None where a row has no prompt.

    A refusal stands as "I do not know."; a reply cut off is left out, and more than half must be left.
    """
    prompts, pictures = batch["prompt"].to_pylist(), pictures_of(batch)
    asked = [i for i, prompt in enumerate(prompts) if prompt]
    requests = [
        {
            "messages": _messages(prompts[i], pictures[i]), "temperature": temperature, "max_tokens": max_tokens,
            **({"n": n} if n > 1 else {}),
        }
        for i in asked
    ]  # fmt: skip
    found: list[Verdict | None] = [None] * batch.num_rows
    for i, verdict in zip(asked, ask_verdicts(model, requests, read_draws), strict=True):
        found[i] = verdict
    return found


def read_draws(reply: Reply) -> Verdict:
    """The texts of a reply's choices, as `drawn` says."""
    parts = samples_of(reply)
    texts = [
        UNSURE if is_refusal(part) else part.text.strip()
        for part in parts
        if is_refusal(part) or (part.finish != "length" and part.text.strip())
    ]
    if 2 * len(texts) > len(parts):
        return Verdict(Outcome.OK, texts)
    cut = any(part.finish == "length" for part in parts)
    return Verdict(Outcome.TRUNCATED if cut else Outcome.UNPARSABLE, why=reply.text[:500])


def _messages(prompt: Sequence[dict[str, Any]], pictures: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [{"role": m["role"], "content": m["content"] or ""} for m in prompt]
    if pictures:
        last = messages[-1]
        messages[-1] = last | {"content": [*pictures, {"type": "text", "text": last["content"]}]}
    return messages
