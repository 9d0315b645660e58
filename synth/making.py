"""What stages that make share: asking a model step by step, and saying how an answer came about."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, final

from ..core.errors import BudgetReached, CallError, StageFailed
from ..core.journal import canonical
from ..core.paid import PaidModel, Reply
from ..core.stage import Context, Drop, Dropped, Row
from ..models.asking import Templates, request
from ..models.pictures import Part, picture_part
from ..models.readers import read_text
from ..models.verdict import Outcome, Reader, Verdict, ask_verdict

T = TypeVar("T")
TEMPLATES: Final = Templates(Path(__file__).resolve().parent / "templates")


@final
@dataclass(frozen=True)
class Writer:
    """A chat model with the prompts of one method: `prompts` is a template of `synth/templates` or a file."""

    model: PaidModel
    prompts: str
    temperature: float = 0.7
    max_tokens: int = 1024
    top_p: float | None = None

    async def verdict(
        self,
        part: str,
        values: Mapping[str, Any],
        read: Reader = read_text,
        *,
        seed: int | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        pictures: Sequence[Part] = (),
        schema: Mapping[str, Any] | None = None,
        logprobs: int | None = None,
    ) -> Verdict:
        """What came of asking with one part of the template. Raises CallError when the call failed.

        Samples of one question are told apart by `seed`; the same question is paid for once.
        """
        asked = request(
            TEMPLATES.load(self.prompts, part), values,
            temperature=self.temperature if temperature is None else temperature,
            max_tokens=max_tokens or self.max_tokens, seed=seed, pictures=pictures, schema=schema, logprobs=logprobs,
        )  # fmt: skip
        if self.top_p is not None:
            asked["top_p"] = self.top_p
        verdict = await ask_verdict(self.model, asked, read)
        if verdict.outcome is Outcome.FAILED:
            raise CallError(verdict.why or "the call failed", place=f"{self.prompts}, {part}")
        return verdict

    async def says(self, part: str, values: Mapping[str, Any], read: Reader = read_text, **options: Any) -> Any:
        """The value of a sound reply, with the options of `verdict`.

        Raises Dropped with the reason "<part>: <outcome>" for any other, CallError when the call failed.
        """
        verdict = await self.verdict(part, values, read, **options)
        if not verdict.ok:
            raise Dropped(f"{part}: {verdict.outcome.value}", {"reply": verdict.why[:500]})
        return verdict.value


async def together(*asked: Awaitable[T]) -> list[T]:
    """What independent questions come to, asked at once, in the order given.

    All are awaited, also past an error: what becomes of a row must not depend on which reply came first.
    Then an error that ends the run is raised before one that fails the row (a failed call), and that before
    Dropped, for the next run may yet get the reply; among equals the first in the order given.
    """
    found = await asyncio.gather(*asked, return_exceptions=True)
    errors = [one for one in found if isinstance(one, BaseException)]
    if errors:
        raise min(errors, key=_rank)
    return [one for one in found if not isinstance(one, BaseException)]


async def tried(*asked: Awaitable[T]) -> tuple[list[T], list[Drop]]:
    """What questions asked as by `together` come to, and why others came to nothing: a Dropped ends its own alone."""

    async def one(question: Awaitable[T]) -> T | Drop:
        try:
            return await question
        except Dropped as dropped:
            return dropped.drop

    found = await together(*(one(question) for question in asked))
    return [each for each in found if not isinstance(each, Drop)], [each for each in found if isinstance(each, Drop)]


def _rank(error: BaseException) -> int:
    if isinstance(error, Dropped):
        return 2
    row_alone = isinstance(error, Exception) and not isinstance(error, (BudgetReached, StageFailed, MemoryError))
    return 1 if row_alone else 0


async def answered(
    model: PaidModel,
    messages: Sequence[Mapping[str, Any]],
    read: Reader = read_text,
    *,
    temperature: float,
    max_tokens: int,
    top_p: float | None = None,
    seed: int | None = None,
) -> Verdict:
    """What came of a prompt's own messages, without a template. Raises CallError when the call failed."""
    asked: dict[str, Any] = {"messages": list(messages), "temperature": temperature, "max_tokens": max_tokens}
    asked |= {name: value for name, value in (("top_p", top_p), ("seed", seed)) if value is not None}
    verdict = await ask_verdict(model, asked, read)
    if verdict.outcome is Outcome.FAILED:
        raise CallError(verdict.why or "the call failed")
    return verdict


def read_answer(reply: Reply) -> Verdict:
    """The reply as an answer; a refusal is one too, where it says something."""
    verdict = read_text(reply)
    said = reply.text.strip()
    return Verdict(Outcome.OK, said) if verdict.outcome is Outcome.REFUSED and said else verdict


def made_by(stage: str, method: str, params: Mapping[str, Any], model: str | None, seed: int | None) -> Row:
    """A `core.row.MADE_BY` value; `params` become canonical JSON."""
    return {"stage": stage, "method": method, "params": canonical(params), "model": model, "seed": seed}


def answer(text: str, origin: Row | None = None) -> Row:
    """A `core.row.ANSWER` value of plain text, by the model its origin names."""
    model = origin["model"] if origin else None
    return {"text": text, "turns": None, "image": None, "model": model, "made_by": origin}


def prompt_of(row: Row) -> str:
    """The prompt as text: the contents of its messages, joined by a blank line. Raises Dropped without one."""
    text = "\n\n".join(message["content"] or "" for message in row["prompt"] or ())
    if not text.strip():
        raise Dropped("no prompt")
    return text


def messages_of(row: Row, system: str = "") -> list[dict[str, Any]]:
    """The prompt as a request's messages, `system` first, pictures in the last. Raises Dropped without a prompt."""
    prompt_of(row)
    messages: list[dict[str, Any]] = [{"role": m["role"], "content": m["content"] or ""} for m in row["prompt"]]
    if pictures := pictures_of(row):
        last = messages[-1]
        messages[-1] = last | {"content": [*pictures, {"type": "text", "text": last["content"]}]}
    if system and messages[0]["role"] == "system":
        return [messages[0] | {"content": f"{system}\n\n{messages[0]['content']}"}, *messages[1:]]
    return [{"role": "system", "content": system}, *messages] if system else messages


def answer_of(row: Row, side: str = "chosen") -> str:
    """The text of an answer of the row. Raises Dropped without one."""
    text: str | None = (row[side] or {}).get("text")
    if not text or not text.strip():
        raise Dropped(f"no {side} answer")
    return text


def pictures_of(row: Row) -> tuple[Part, ...]:
    """The pictures the row's prompt comes with, as message parts."""
    return tuple(picture_part(image) for image in row.get("images") or () if image)


def sample_seeds(ctx: Context, n: int) -> range:
    """Seeds of n samples of one question: the recipe's seed and those after it."""
    return range(ctx.seed, ctx.seed + n)
