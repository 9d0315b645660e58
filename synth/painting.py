"""What stages that paint share: asking for pictures of a row, and saying how each came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, final

from pydantic import Field

from ..core.paid import PaidModel
from ..core.stage import Dropped, Row
from ..models.imaging import bytes_of
from ..models.painter import Nag, Painting, Sampling, paint, painting_request
from .making import made_by, together

UseImage = Literal["none", "reference", "start"]
SEED_BITS: Final = 32
"""Width of a drawn seed: painters elsewhere take no wider one."""


NagScales = tuple[Annotated[float, Field(ge=1)], Annotated[float, Field(gt=0)], Annotated[float, Field(ge=0, le=1)]]
"""Scale, τ and α of normalized attention guidance."""


@final
@dataclass(frozen=True)
class Easel:
    """A painter at a row: its nickname, how it paints, and the picture it paints from (if any)."""

    painter: PaidModel
    nickname: str
    sampling: Sampling = Sampling()
    use_image: UseImage = "none"

    async def paints(self, prompt: str, seed: int, image: bytes | None = None, mask: bytes | None = None) -> Painting:
        """One painting, from `image` as `use_image` says; by a mask it is painted anew there alone.

        Raises CallError when the call failed.
        """
        reference = image if self.use_image == "reference" else None
        start = image if self.use_image == "start" else None
        request = painting_request(prompt, seed, self.sampling, image=start, mask=mask, reference=reference)
        return await paint(self.painter, request)

    async def must(
        self, what: str, prompt: str, seed: int, image: bytes | None = None, mask: bytes | None = None
    ) -> tuple[bytes, Painting]:
        """The bytes of a painting. Raises Dropped with the reason "<what>: <outcome>" where there is none."""
        painting = await self.paints(prompt, seed, image, mask)
        if painting.image is None:
            raise Dropped(f"{what}: {painting.outcome}")
        return painting.image, painting

    def answer(
        self, stage: str, method: str, painting: Painting, seed: int, image: bytes, more: Mapping[str, Any]
    ) -> Row:
        """An answer of `core.row.ANSWER` that is a picture; its `made_by` holds what was used and `more`."""
        params = {"painter": self.nickname, "use_image": self.use_image} | dict(painting.settings) | dict(more)
        origin = made_by(stage, method, params, self.painter.name, seed)
        return {
            "text": None, "turns": None, "image": {"bytes": image, "path": None}, "model": self.painter.name,
            "made_by": origin,
        }  # fmt: skip


def sampling(negative_prompt: str | None, nag: NagScales | None, strength: float | None = None) -> Sampling:
    """Settings by a stage's options: the negative prompt goes to NAG where that is asked for."""
    if nag is not None and negative_prompt:
        return Sampling(strength=strength, nag=Nag(negative_prompt, *nag))
    return Sampling(negative_prompt=negative_prompt, strength=strength)


def nag_faults(nag: NagScales | None, negative_prompt: str | None) -> list[str]:
    """What is wrong with these options: guidance away from nothing."""
    return ["nag needs a negative_prompt to stay away from"] if nag is not None and not negative_prompt else []


def reference_of(row: Row) -> bytes:
    """The row's first picture. Raises Dropped without one, RowError when it cannot be read."""
    found = next((image for image in row.get("images") or () if image), None)
    if found is None:
        raise Dropped("no reference image")
    return bytes_of(found)


async def painted_all(
    easels: Sequence[Easel], prompt: str, seeds: Sequence[Sequence[int]], image: bytes | None
) -> list[list[Painting]]:
    """The paintings [easel][seed], asked for at once."""
    rows = (
        together(*(easel.paints(prompt, seed, image) for seed in own)) for easel, own in zip(easels, seeds, strict=True)
    )
    return [list(row) for row in await together(*rows)]
