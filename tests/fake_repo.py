"""Repositories of a fake Hub: files by path, which of them are large, commits."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from typing import Any


def git_oid(content: bytes) -> str:
    """The name git gives a blob."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class Repo:
    """Files by path, which of them are large, and commits, the newest first."""

    private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    large: set[str] = field(default_factory=set)
    commits: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.commit("initial commit")

    def commit(self, title: str) -> str:
        oid = uuid.uuid4().hex + "0" * 8
        about = {"message": "", "authors": [], "date": "2026-01-01T00:00:00.000Z"}
        self.commits.insert(0, {"id": oid, "title": title, **about})
        return oid

    def oid(self, path: str) -> str:
        content = self.files[path]
        return hashlib.sha256(content).hexdigest() if path in self.large else git_oid(content)

    def entry(self, path: str) -> dict[str, Any]:
        content = self.files[path]
        entry = {"type": "file", "path": path, "size": len(content), "oid": git_oid(content)}
        if path in self.large:
            entry["lfs"] = {"oid": self.oid(path), "size": len(content), "pointerSize": 130}
        return entry

    def put(self, path: str, content: bytes, *, large: bool) -> None:
        self.files[path] = content
        (self.large.add if large else self.large.discard)(path)

    def remove(self, path: str, *, folder: bool) -> None:
        for name in [n for n in self.files if n == path or (folder and n.startswith(path.rstrip("/") + "/"))]:
            del self.files[name]
            self.large.discard(name)
