"""The dataset that an earlier stage wrote, as a trainer is given it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

from ..core.errors import InputError

if TYPE_CHECKING:
    from ..core.view import RunView

WRITER: Final = "write.parquet"


@final
@dataclass(frozen=True)
class Dataset:
    """A written dataset: its folder and what its writer said of it."""

    path: Path
    dialect: str
    form: str
    digest: str

    def files(self, split: str) -> list[str]:
        """The Parquet files of one split in order; empty when it has none."""
        return [str(path) for path in sorted((self.path / "data").glob(f"{split}-*.parquet"))]


def written_dataset(view: RunView, stage: str | None = None) -> Dataset:
    """The dataset of the stage called `stage`, or of the last one that wrote; InputError if none."""
    facts = view.facts
    writers = [name for name in facts if view.plan.node(name).stage.name == WRITER]
    if stage is not None and stage not in writers:
        raise InputError(f"{stage} wrote no dataset", hint=f"data: names a {WRITER} stage that ran")
    if not writers:
        raise InputError("no dataset was written yet", hint=f"put {WRITER} before this stage")
    fact = facts[stage or writers[-1]]
    return Dataset(Path(fact["path"]).resolve(), fact["dialect"], fact["form"], _digest(fact))


def _digest(fact: dict[str, Any]) -> str:
    """Tells one content from another: the files' own hashes."""
    return " ".join(file["sha256"] for file in fact["files"])
