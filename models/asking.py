"""Requests to chat models, and the templates they are written from: for stages that judge and stages that make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from ..core.errors import InputError
from ..core.paid import Reply, Request
from ..core.prose import Prose, load_prose
from .pictures import Part
from .verdict import Asker, Reader, Verdict, ask_verdicts


@final
@dataclass(frozen=True)
class Templates:
    """The templates of a folder; a name may also be a file of the user's."""

    folder: Path

    def load(self, name: str, part: str = "") -> Prose:
        """The template, or a part of it. Raises InputError when it is not there."""
        return load_prose(self.folder, name, part)

    def faults(self, *names: str) -> list[str]:
        """What is wrong with these templates, for a stage's `faults`."""
        found = []
        for name in names:
            try:
                self.load(name)
            except InputError as error:
                found.append(f"{error.cause}; {error.hint}" if error.hint else error.cause)
        return found

    def digests(self, *names: str) -> tuple[str, ...]:
        """Digests of these templates, for a stage's `materials`."""
        return tuple(self.load(name).digest for name in names)


def request(
    prose: Prose,
    values: Mapping[str, Any],
    *,
    temperature: float = 0.0,
    max_tokens: int | None = None,
    logprobs: int | None = None,
    schema: Mapping[str, Any] | None = None,
    n: int = 1,
    seed: int | None = None,
    pictures: Sequence[Part] = (),
) -> dict[str, Any]:
    """A request to a chat model; what is not asked for is left out, so that keys stay stable.

    Pictures come before the text of the last message, in their order.
    """
    messages: list[dict[str, Any]] = list(prose.messages(values))
    if pictures:
        last = messages[-1]
        messages[-1] = last | {"content": [*pictures, {"type": "text", "text": last["content"]}]}
    fields: dict[str, Any] = {"messages": messages, "temperature": temperature}
    optional = {"max_tokens": max_tokens, "logprobs": logprobs, "schema": schema, "seed": seed}
    fields |= {name: value for name, value in optional.items() if value is not None}
    return fields | ({"n": n} if n > 1 else {})


def ask_by_kind(
    model: Asker, requests: Sequence[Request], kinds: Sequence[int], reader: Callable[[int], Reader]
) -> list[Verdict]:
    """Verdicts of requests that are read differently: `reader(kind)` reads those of a kind.

    The kinds are asked side by side, so that none waits for another.
    """
    members: dict[int, list[int]] = {}
    for i, kind in enumerate(kinds):
        members.setdefault(kind, []).append(i)
    if not members:
        return []
    with ThreadPoolExecutor(min(len(members), 16)) as pool:
        asked = [
            pool.submit(ask_verdicts, model, [requests[i] for i in group], reader(kind))
            for kind, group in members.items()
        ]
        found: dict[int, Verdict] = {}
        for group, verdicts in zip(members.values(), asked, strict=True):
            found |= dict(zip(group, verdicts.result(), strict=True))
    return [found[i] for i in range(len(requests))]


def samples_of(reply: Reply) -> list[Reply]:
    """Each of the n choices of a reply as a reply of its own."""
    data = reply.data or {}
    texts, finishes = data.get("texts") or [reply.text], data.get("finishes") or []
    return [
        replace(reply, text=text, finish=finishes[k] if k < len(finishes) else reply.finish)
        for k, text in enumerate(texts)
    ]


def shared_outcome(verdicts: Sequence[Verdict]) -> str:
    """`ok` when all are, else the first that is not."""
    return next((v.outcome.value for v in verdicts if not v.ok), "ok")
