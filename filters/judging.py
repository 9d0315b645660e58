"""What judging stages share: templates, requests, texts and pictures of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

import pyarrow as pa
from pydantic import BeforeValidator, Field

from ..core.errors import InputError
from ..core.paid import Reply, Request
from ..core.prose import Prose, load_prose
from ..core.row import answer_text, prompt_text
from ..core.stage import ModelOf
from ..models.verdict import Asker, Reader, Verdict, ask_verdicts
from .pictures import Part, picture_part

TEMPLATES: Final = Path(__file__).resolve().parent / "templates"


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Judges = Annotated[tuple[str, ...], BeforeValidator(_several), ModelOf("chat"), Field(min_length=1)]
"""One chat model or several, by nickname."""
Names = Annotated[tuple[str, ...], BeforeValidator(_several), Field(min_length=1)]


def template(name: str) -> Prose:
    """A judge's template: a name from `filters/templates`, or a file of the user's."""
    return load_prose(TEMPLATES, name)


def template_faults(*names: str) -> list[str]:
    """What is wrong with these templates, for `faults`."""
    found = []
    for name in names:
        try:
            template(name)
        except InputError as error:
            found.append(f"{error.cause}; {error.hint}" if error.hint else error.cause)
    return found


def digests(*names: str) -> tuple[str, ...]:
    """Digests of these templates, for `materials`."""
    return tuple(template(name).digest for name in names)


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


def texts_of(batch: pa.Table, *names: str) -> list[list[str | None]]:
    """The texts [n] of prompt and answer columns, as Python strings; null where there is none."""
    found = []
    for name in names:
        column = batch[name].combine_chunks()
        is_answer = pa.types.is_struct(column.type)
        is_prompt = pa.types.is_list(column.type)
        found.append((answer_text(column) if is_answer else prompt_text(column) if is_prompt else column).to_pylist())
    return found


def asides(batch: pa.Table, names: Mapping[str, str | None]) -> list[dict[str, str | None]]:
    """For each row the texts of optional columns under the names a template knows them by."""
    columns = {key: texts_of(batch, name)[0] for key, name in names.items() if name}
    return [{key: columns[key][i] if key in columns else None for key in names} for i in range(batch.num_rows)]


def pictures_of(batch: pa.Table) -> list[tuple[Part, ...]]:
    """The pictures each row's prompt comes with, as message parts; empty where there are none."""
    if "images" not in batch.column_names:
        return [()] * batch.num_rows
    return [tuple(picture_part(image) for image in images or () if image) for images in batch["images"].to_pylist()]


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
