"""`ref.crop_mask`: reference images cut to the subject, by boxes or masks that stand in the row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, final

from pydantic import Field

from ..core.declared import Column
from ..core.registry import register
from ..core.stage import Context, Drop, Dropped, Map, Row
from ..models.cropping import Colour, alone, box_of, box_of_mask, square
from ..models.imaging import bytes_of, decoded, encoded
from ..models.offloading import offloaded

Image = dict[str, Any]
FILLS: Final[dict[str, Colour]] = {"grey": (127, 127, 127), "white": (255, 255, 255), "black": (0, 0, 0)}


@final
@register("ref.crop_mask")
class CropMask(Map):
    """Cut each reference image to a square of its subject, so that scores compare subjects and not scenes.

    With masks what is not the subject is filled; with boxes the square around the box is shown as it is.
    A row in which an image lacks its box or mask, or whose mask shows nothing, is dropped: a subject
    that was not found must not count as the whole image.
    """

    reads = ("images", "{boxes}", "{masks}")
    writes = (Column("images", "reference images, cut to the subject"),)
    paper = "Object-Driven One-Shot Fine-tuning, arXiv 2401.15708 (the subject's region alone); details: house"

    boxes: str = ""
    """Column of a list of boxes, one an image: left, top, right, bottom as shares of width and height."""
    masks: str = ""
    """Column of a list of images, one an image: bright where the subject is."""
    margin: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Room left around the box, as a share of its longer side."""
    fill: Literal["grey", "white", "black"] = "grey"
    """What stands where there is no subject, or no image any more."""

    def faults(self) -> Sequence[str]:
        return (
            [] if bool(self.boxes) != bool(self.masks) else ["give boxes or masks, the column that tells the subject"]
        )

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        images, regions = row["images"] or [], row[self.boxes or self.masks] or []
        if not images or None in images:
            return Drop("no reference image")
        if len(regions) != len(images) or any(region is None for region in regions):
            return Drop("an image without its box or mask", {"images": len(images), "regions": len(regions)})
        return [{"images": await offloaded(self._cut, images, regions)}]

    def _cut(self, images: Sequence[Image], regions: Sequence[Any]) -> list[Image]:
        return [self._cut_one(image, region) for image, region in zip(images, regions, strict=True)]

    def _cut_one(self, image: Image, region: Any) -> Image:
        data, fill = bytes_of(image), FILLS[self.fill]
        picture = decoded(data)
        if self.boxes:
            box = box_of(region)
        else:
            mask = decoded(bytes_of(region))
            found = box_of_mask(mask)
            if found is None:
                raise Dropped("a mask that shows nothing")
            box, picture = found, alone(picture, mask, fill)
        return {"bytes": encoded(square(picture, box, self.margin, fill), data), "path": image["path"]}
