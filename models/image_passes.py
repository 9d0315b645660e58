"""How neural models see: pictures decoded ahead in threads, groups of one fixed shape through the network.

Every group has the same number of inputs, the last one filled up, so that the network always does
the same sums and a result does not depend on what else was in the call.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, final

import numpy as np

from ..core.errors import InputError
from .imaging import decoded
from .running import workers

if TYPE_CHECKING:
    from PIL.Image import Image

T = TypeVar("T")
R = TypeVar("R")
DType = Literal["auto", "float32", "bfloat16", "float16"]
GROUP_CPU: Final = 8
GROUP_ACCELERATOR: Final = 64
LONGEST: Final = 16
AHEAD: Final = 8
"""Most groups decoded before the network has asked for them, one a core: bounds memory."""


@final
class ImagePasses:
    """A network, where it runs, and how a picture becomes its input. Threads take turns."""

    def __init__(self, network: Any, prepare: Callable[[Image], Any], group: int | None) -> None:
        self.network, self._prepare = network, prepare
        first = next(network.parameters())
        self.device, self.dtype = first.device, first.dtype
        self.group = group or (GROUP_CPU if self.device.type == "cpu" else GROUP_ACCELERATOR)
        self._turn = threading.Lock()

    def images(self, images: Sequence[bytes], look: Callable[[Any], Any]) -> Iterator[np.ndarray]:
        """What `look` makes of each group of pixels [group, 3, height, width]: float32 [k, …] for its k images.

        Raises RowError naming the index of bytes that are no image.
        """
        starts = range(0, len(images), self.group)
        for pixels, count in ahead(lambda start: self._group(images, start), starts):
            yield self.run(look, pixels.to(self.device, self.dtype))[:count]

    def run(self, look: Callable[..., Any], *inputs: Any) -> np.ndarray:
        """One pass, without gradients: float32 on the CPU."""
        import torch

        with self._turn, torch.inference_mode():
            found: np.ndarray = look(*inputs).float().cpu().numpy()
        return found

    def groups(self, members: Sequence[int]) -> Iterator[list[int]]:
        """`members` in groups of the fixed size, the last one filled up with its first."""
        for start in range(0, len(members), self.group):
            part = list(members[start : start + self.group])
            yield part + part[:1] * (self.group - len(part))

    def pixels(self, image: bytes, position: int) -> Any:
        """The network's input [3, height, width] for one picture. Raises RowError naming `position`.

        Of a picture more than `LONGEST` times as long as it is wide only the middle is seen: scaled to the
        network's side whole, it could take more memory than there is.
        """
        return self._prepare(middle(decoded(image, position)))

    def _group(self, images: Sequence[bytes], start: int) -> tuple[Any, int]:
        import torch

        rows = [self.pixels(images[k], k) for k in range(start, min(start + self.group, len(images)))]
        if len({row.shape for row in rows}) > 1:
            raise InputError(
                "the image processor gives pictures of differing shapes",
                hint="use a model whose processor resizes and crops to one size",
            )
        return torch.stack(rows + rows[:1] * (self.group - len(rows))), len(rows)


def ahead(work: Callable[[T], R], pieces: Sequence[T]) -> Iterator[R]:
    """`work` on every piece, in order, in threads that stay at most `AHEAD` pieces before the asking."""
    waiting: deque[Future[R]] = deque()
    threads = min(workers(), AHEAD)
    with ThreadPoolExecutor(threads) as pool:
        try:
            for piece in pieces:
                waiting.append(pool.submit(work, piece))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for late in waiting:
                late.cancel()


def middle(picture: Image) -> Image:
    """The picture, or its middle where its sides differ by more than `LONGEST` times."""
    width, height = picture.size
    wide, high = min(width, LONGEST * height), min(height, LONGEST * width)
    if (wide, high) == (width, height):
        return picture
    left, top = (width - wide) // 2, (height - high) // 2
    return picture.crop((left, top, left + wide, top + high))


def where(device: str) -> str:
    """The device meant: `auto` is CUDA where there is one, else the CPU. InputError when it is not there."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        cause = f"the device {device} cannot be used: {error}".splitlines()[0]
        raise InputError(cause, hint="it takes auto, cpu, cuda, cuda:1 or mps") from error
    return device


def pretrained(family: Any, name: str, device: str, dtype: DType) -> Any:
    """A model of transformers for use, by name on the Hub or as a folder, weights from safetensors only.

    `auto` is the type of the stored weights, and on a CPU float32. InputError when it does not load.
    """
    place = where(device)
    if dtype == "auto" and place == "cpu":
        dtype = "float32"
    network, told = _from(family, name, dtype=dtype, use_safetensors=True, output_loading_info=True)
    absent = sorted(key for key in told["missing_keys"] if "pooler." not in key)  # poolers are not used
    if absent:
        cause = f"{name} holds no weights for {len(absent)} parts of a {type(network).__name__}, such as {absent[0]}"
        raise InputError(cause, hint="it was saved from another kind of model")
    return network.to(place).eval()


def preparation(name: str) -> Callable[[Image], Any]:
    """How a published image processor turns a picture into a network's input, float32 [3, height, width]."""
    import transformers

    processor = _from(transformers.AutoImageProcessor, name)

    def prepare(picture: Image) -> Any:
        return processor(images=picture, return_tensors="pt")["pixel_values"][0]

    return prepare


def tokenizer_of(name: str) -> Any:
    """A published tokenizer. InputError when there is none."""
    import transformers

    return _from(transformers.AutoTokenizer, name)


def _from(family: Any, name: str, **options: Any) -> Any:
    from transformers.utils import logging as told

    silence: Any = told.disable_progress_bar  # bars would be drawn through ours
    silence()
    try:
        return family.from_pretrained(name, trust_remote_code=False, **options)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        cause = f"{name} does not load: {error}".splitlines()[0]
        raise InputError(
            cause, hint="name a folder or a model on the Hub whose weights are in safetensors files"
        ) from error
