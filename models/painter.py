"""What a painter is asked and what it gives back: the shapes that stages and painters share.

A painter is a paid model: its `call` takes a request of plain JSON and replies with one picture in
`data`, so that a picture stands in the journal before a stage sees it and is never painted twice.

A request has `prompt` and `seed`, and where asked for `image` (base64; painting begins from it),
`mask` (base64; white where alone that image is painted anew), `reference` (base64; its subject or
style is to be kept) and the fields of `Sampling`. A reply's `data` has `image` (base64 PNG) and
`settings`, what was really used; a reply that ends otherwise than by `stop` has no image, and its
text says why.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol, final

from ..core.errors import RowError
from ..core.paid import Reply, Request


class Painter(Protocol):
    """A painter as stages are handed it: see `core.paid.PaidModel`."""

    async def ask(self, request: Request, attempt: int = 0) -> Reply:
        """The reply to one request, from the journal or the painter."""


@final
@dataclass(frozen=True)
class Nag:
    """Normalized attention guidance away from `negative_prompt`: see `painter_guidance.nag`; scale 1 is off."""

    negative_prompt: str
    scale: float = 5.0
    tau: float = 2.5
    alpha: float = 0.5


@final
@dataclass(frozen=True)
class Sampling:
    """How to paint; null leaves a setting to the painter.

    `guidance` is the scale of classifier-free guidance (1 = off), `strength` in (0, 1] how far a
    picture that is begun from is painted over, `width` and `height` are pixels.
    """

    negative_prompt: str | None = None
    steps: int | None = None
    guidance: float | None = None
    width: int | None = None
    height: int | None = None
    strength: float | None = None
    nag: Nag | None = None

    def fields(self) -> dict[str, Any]:
        """The settings that are set, as a request has them."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@final
@dataclass(frozen=True)
class Painting:
    """A picture as PNG, or null and why: `outcome` is ok, refusal or blank."""

    image: bytes | None
    outcome: str
    settings: Mapping[str, Any]


def painting_request(
    prompt: str,
    seed: int,
    sampling: Sampling,
    *,
    image: bytes | None = None,
    mask: bytes | None = None,
    reference: bytes | None = None,
) -> dict[str, Any]:
    """A request; what is not asked for is left out, so that keys stay stable."""
    pictures = {"image": image, "mask": mask, "reference": reference}
    given = {name: base64.b64encode(data).decode("ascii") for name, data in pictures.items() if data is not None}
    return {"prompt": prompt, "seed": seed} | sampling.fields() | given


async def paint(painter: Painter, request: Request) -> Painting:
    """Ask for a picture. Raises CallError when the painter cannot be asked, RowError when it gives no picture."""
    reply = await painter.ask(request)
    data = reply.data or {}
    if reply.finish != "stop":
        return Painting(None, reply.finish, data.get("settings") or {})
    if not data.get("image"):
        raise RowError("the painter's reply holds no picture", hint="a painter gives data.image in base64")
    return Painting(base64.b64decode(data["image"]), "ok", data.get("settings") or {})


def painted(image: bytes, settings: Mapping[str, Any]) -> Reply:
    """A painter's reply with a picture."""
    return Reply("", data={"image": base64.b64encode(image).decode("ascii"), "settings": dict(settings)})


def unpainted(outcome: str, why: str, settings: Mapping[str, Any]) -> Reply:
    """A painter's reply without one: `refusal` or `blank`."""
    return Reply(why, outcome, data={"settings": dict(settings)})


def picture_in(request: Request, name: str) -> bytes | None:
    """The bytes of a request's `image`, `mask` or `reference`, where it has one."""
    return base64.b64decode(request[name]) if request.get(name) else None
