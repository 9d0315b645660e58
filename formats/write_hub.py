"""`write.hub`: the dataset that `write.parquet` has written, sent to the Hugging Face Hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

from ..core.errors import RunError
from ..core.registry import register
from ..core.stage import Context, Sink
from .hub import push, repo_fault, token_fault

if TYPE_CHECKING:
    from ..core.frame import Frame


@final
@register("write.hub")
class WriteHub(Sink):
    """Send the dataset of the last `write.parquet` before this stage to a Hub repository."""

    repo: str
    """The repository: owner/name, or name for one's own."""
    private: bool = True
    """Whether a repository that has to be made is private."""
    dry_run: bool = False
    """Only list what would be sent; no network is used."""

    def faults(self) -> Sequence[str]:
        """A malformed name; no token to push with."""
        found = [repo_fault(self.repo), None if self.dry_run else token_fault()]
        return [fault for fault in found if fault]

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: url, repo, private, files, bytes, sent."""
        folder = _written(ctx.view.facts)
        pushed = push(folder, self.repo, private=self.private, dry_run=self.dry_run)
        return {
            "url": pushed.url,
            "repo": pushed.repo,
            "private": pushed.private,
            "files": len(pushed.files),
            "bytes": pushed.bytes,
            "sent": pushed.sent,
        }


def _written(facts: Mapping[str, Mapping[str, Any]]) -> str:
    folders = [str(found["path"]) for found in facts.values() if "card" in found]
    if not folders:
        raise RunError("there is no dataset to send", place="write.hub", hint="put write.parquet before it")
    return folders[-1]
