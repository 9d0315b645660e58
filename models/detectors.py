"""Zero-shot detectors of transformers: OWL-ViT, OWLv2, Grounding DINO and their kin find what phrases name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, final

import numpy as np
from pydantic import Field

from ..core.errors import InputError, RowError
from ..core.registry import ModelSpec, model
from .cropping import Box
from .image_passes import DType, ImagePasses, ahead, preparation, pretrained, tokenizer_of
from .imaging import decoded
from .regions import Found
from .weights import files_of

if TYPE_CHECKING:
    from PIL.Image import Image

Prepare = Callable[["Image"], Any]
_OWL: Final = ("owlvit", "owlv2")
_GROUNDING: Final = ("grounding-dino", "mm-grounding-dino")
_INPUTS: Final = ("input_ids", "attention_mask", "token_type_ids")


@final
class ZeroShotDetector:
    """One picture a pass, so that company changes nothing; obeys `models.regions.Detector`."""

    def __init__(self, spec: ZeroShotDetectorSpec, network: Any, prepare: Prepare, tokenizer: Any) -> None:
        self.name, self._tokenizer, self._prepare = spec.name, tokenizer, prepare
        self._passes = ImagePasses(network, prepare, 1)
        self._template, self._box, self._text = spec.template, spec.box_threshold, spec.text_threshold
        self._owl = network.config.model_type in _OWL
        self._padded = network.config.model_type == "owlv2"
        self._longest = int(
            network.config.text_config.max_position_embeddings if self._owl else network.config.max_text_len
        )

    def detect(self, images: Sequence[bytes], phrases: Sequence[Sequence[str]]) -> list[list[Found]]:
        """See `models.regions.Detector`. Raises RowError naming a bad image, or a phrase that is too long to read."""
        asked = [tuple(dict.fromkeys(named)) for named in phrases]
        places = [k for k, named in enumerate(asked) if named]
        found: list[list[Found]] = [[] for _ in images]
        seen = ahead(lambda k: self._picture(images[k], k), places)
        for k, (pixels, size) in zip(places, seen, strict=True):
            boxes, scores = self._owl_pass(pixels, asked[k], size) if self._owl else self._grounded(pixels, asked[k])
            found[k] = _told(boxes, scores, asked[k])
        return found

    def _picture(self, image: bytes, position: int) -> tuple[Any, tuple[int, int]]:
        picture = decoded(image, position)
        return self._prepare(picture)[None], picture.size

    def _owl_pass(self, pixels: Any, named: Sequence[str], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Corners [q, 4] and scores [q, p]: each box stands for the one phrase it fits best."""
        texts = [self._template.replace("{}", name) for name in named]
        for name, ids in zip(named, self._tokenizer(texts, verbose=False)["input_ids"], strict=True):
            if len(ids) > self._longest:
                raise RowError(f"{self.name} cannot read {name[:80]!r} whole", hint="name the thing in fewer words")
        feed = self._tokenizer(texts, padding="max_length", max_length=self._longest, return_tensors="pt")
        raw = self._passes.run(self._looking, pixels, feed)
        boxes, scores = corners(raw[:, :4]), _sigmoid(raw[:, 4:])
        if self._padded:  # OWLv2 sees the picture at the top left of a square
            boxes = boxes * (max(size) / np.array([*size, *size], np.float64))
        best = scores.max(axis=1, keepdims=True)
        return boxes, np.where((scores == best) & (scores > self._box), scores, 0.0)

    def _grounded(self, pixels: Any, named: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Corners [q, 4] and scores [q, p]: a sure box stands for every phrase one of whose tokens it lights up."""
        text, spans = _sentence(named)
        feed = self._tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
        offsets = feed.pop("offset_mapping")[0].tolist()
        if len(offsets) > self._longest:
            raise RowError(f"{self.name} cannot read {text[:80]!r} whole", hint="name fewer things in fewer words")
        raw = self._passes.run(self._looking, pixels, feed)
        boxes, tokens = corners(raw[:, :4]), _sigmoid(raw[:, 4 : 4 + len(offsets)])
        scores = np.zeros((len(boxes), len(named)))
        for k, (start, stop) in enumerate(spans):
            mine = [t for t, (begin, end) in enumerate(offsets) if begin < end and begin >= start and end <= stop]
            scores[:, k] = tokens[:, mine].max(axis=1, initial=0.0)
        sure = tokens.max(axis=1, keepdims=True) > self._box
        return boxes, np.where(sure & (scores > self._text), scores, 0.0)

    def _looking(self, pixels: Any, feed: Mapping[str, Any]) -> Any:
        import torch

        inputs = {name: feed[name].to(self._passes.device) for name in feed if name in _INPUTS}
        out = self._passes.network(pixel_values=pixels.to(self._passes.device, self._passes.dtype), **inputs)
        return torch.cat([out.pred_boxes[0].float(), out.logits[0].float()], dim=1)


@final
@model("zero_shot_detector")
class ZeroShotDetectorSpec(ModelSpec):
    """Finds what phrases name: Grounding DINO, OWL-ViT or OWLv2, by name on the Hub or as a folder.

    Grounding DINO reads all phrases of a picture as one text; OWL-ViT each by itself, through `template`.
    """

    kind: ClassVar[str] = "detector"
    extra: ClassVar[str] = "images"
    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers", "torchvision")
    unkeyed: ClassVar[frozenset[str]] = frozenset({"device"})

    name: Annotated[str, Field(min_length=1)] = "IDEA-Research/grounding-dino-tiny"
    """A folder, or a name on the Hub; weights in safetensors."""
    box_threshold: Annotated[float, Field(ge=0, le=1)] = 0.35
    """Least sureness of a box; PSR takes 0.35 with Grounding DINO, OWL-ViT is used with about 0.1."""
    text_threshold: Annotated[float, Field(ge=0, le=1)] = 0.25
    """Least sureness that a box shows what a word of a phrase says; Grounding DINO alone knows it."""
    template: str = "a photo of a {}"
    """What OWL-ViT reads for a phrase; holds {} once."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    dtype: DType = "auto"
    """Of the weights; auto = as stored, on a CPU float32."""

    def identity(self) -> dict[str, Any]:
        return ModelSpec.identity(self) | files_of(self.name)

    def load(self) -> ZeroShotDetector:
        """The model with its weights read; InputError when there are none, or it is of another kind."""
        import transformers

        network = pretrained(transformers.AutoModelForZeroShotObjectDetection, self.name, self.device, self.dtype)
        if network.config.model_type not in (*_OWL, *_GROUNDING):
            known = ", ".join((*_OWL, *_GROUNDING))
            raise InputError(f"{self.name} is a {network.config.model_type}", hint=f"name a detector of these: {known}")
        if self.template.count("{}") != 1:
            raise InputError(f"template {self.template!r} must hold {{}} once, where the phrase stands")
        return ZeroShotDetector(self, network, preparation(self.name), tokenizer_of(self.name))


def corners(boxes: np.ndarray) -> np.ndarray:
    """[n, 4] centre x, centre y, width, height as left, top, right, bottom, float64."""
    centre, half = boxes[:, :2].astype(np.float64), boxes[:, 2:].astype(np.float64) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def _told(boxes: np.ndarray, scores: np.ndarray, named: Sequence[str]) -> list[Found]:
    """Every box [q, 4] under each phrase it has a score [q, p] above 0 for, cut to the picture; surest first."""
    boxes = np.clip(boxes, 0.0, 1.0)
    found = [
        Found(_box(boxes[q]), float(scores[q, p]), named[p])
        for q, p in np.argwhere(scores > 0)
        if boxes[q, 0] < boxes[q, 2] and boxes[q, 1] < boxes[q, 3]
    ]
    return sorted(found, key=lambda one: -one.score)


def _box(row: np.ndarray) -> Box:
    left, top, right, bottom = (float(value) for value in row)
    return left, top, right, bottom


def _sentence(named: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """The phrases as Grounding DINO reads them, lower-case and each ended by a stop, and where each one stands."""
    text, spans = "", []
    for name in named:
        plain = name.lower().replace(".", " ").strip()
        spans.append((len(text), len(text) + len(plain)))
        text += f"{plain}. "
    return text.strip(), spans


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * (1 + np.tanh(logits.astype(np.float64) / 2)))
