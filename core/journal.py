"""Every reply that was paid for, durable before it is used: SQLite, WAL, commits in groups."""

from __future__ import annotations

import hashlib
import json
import queue
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, NamedTuple, final

from .errors import InputError

# Replies are appended and only their keys are sorted: a commit of fifty touches a tenth of the pages
# that a table ordered by random keys would.
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS replies (
  key BLOB PRIMARY KEY, model TEXT NOT NULL, attempt INTEGER NOT NULL, reply TEXT NOT NULL,
  tokens INTEGER NOT NULL, usd REAL NOT NULL, seconds REAL NOT NULL, run TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS replies_run ON replies (run);
"""
_GROUP: Final = 64
_ASKED_AT_ONCE: Final = 500
_WAL_PAGES: Final = 4000

canonical = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode
"""JSON with sorted keys: the same text for equal values."""
_compact: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def call_key(identity: Mapping[str, Any], request: Mapping[str, Any], attempt: int) -> bytes:
    """SHA-256 of what decides a reply: the model's identity, the request and the attempt."""
    return key_after(canonical(identity), request, attempt)


def key_after(identity: str, request: Mapping[str, Any], attempt: int) -> bytes:
    """The same from an identity that is already canonical JSON."""
    text = f"[{identity},{canonical(request)},{attempt}]"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


@final
class Entry(NamedTuple):
    """A paid reply on its way to the journal."""

    key: bytes
    model: str
    attempt: int
    reply: Mapping[str, Any]
    tokens: int
    usd: float
    seconds: float
    run: str


@final
class Journal:
    """Replies by key. One thread owns the connection: it answers look-ups and commits in groups.

    Nothing secret is given to it: keys are hashes, and replies are what the model said.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._work: queue.SimpleQueue[tuple[str, Any, Future[Any]] | None] = queue.SimpleQueue()
        opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._serve, args=(opened,), daemon=True, name="journal")
        self._thread.start()
        try:
            opened.result()
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"the journal cannot be used: {error}", place=str(path), hint="move it away to begin a new one"
            ) from error

    def look_up(self, keys: Sequence[bytes]) -> Future[dict[bytes, dict[str, Any]]]:
        """The replies kept under these keys; a key that is not there is left out."""
        return self._ask("look_up", list(keys))

    def keep(self, entries: Sequence[Entry]) -> Future[None]:
        """Keep replies; the future is done once they are durable. A key already there stays as it is."""
        return self._ask("keep", list(entries))

    def spent(self, run: str) -> tuple[int, int, float]:
        """(calls, tokens, dollars) paid so far under this run's name."""
        calls, tokens, usd = self._ask("spent", run).result()
        return int(calls), int(tokens or 0), float(usd or 0.0)

    def close(self) -> None:
        """Commit what is waiting and close."""
        self._work.put(None)
        self._thread.join()

    def _ask(self, verb: str, item: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._work.put((verb, item, future))
        return future

    def _serve(self, opened: Future[None]) -> None:
        try:
            connection = sqlite3.connect(self._path, timeout=60, isolation_level=None)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")
            connection.executescript(_SCHEMA)
            opened.set_result(None)
        except sqlite3.DatabaseError as error:
            opened.set_exception(error)
            return
        going = True
        while going:
            group = [self._work.get()]
            while len(group) < _GROUP and not self._work.empty():
                group.append(self._work.get_nowait())
            going = None not in group
            _answer(connection, [item for item in group if item is not None])
        connection.close()


def _answer(connection: sqlite3.Connection, group: Sequence[tuple[str, Any, Future[Any]]]) -> None:
    """Commit all entries of the group together, then answer its look-ups."""
    kept = [(item, future) for verb, item, future in group if verb == "keep"]
    if kept:
        try:
            rows = [entry._replace(reply=_compact(entry.reply)) for entries, _ in kept for entry in entries]
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR IGNORE INTO replies VALUES (?,?,?,?,?,?,?,?)", rows)
            connection.execute("COMMIT")
        except Exception as error:  # handed to those who wait, whatever it is
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            _settle([future for _, future in kept], error=error)
        else:
            _settle([future for _, future in kept])
    for verb, item, future in group:
        if verb == "keep":
            continue
        try:
            found = _found(connection, item) if verb == "look_up" else _spent(connection, item)
        except Exception as error:
            _settle([future], error=error)
        else:
            _settle([future], found)


def _found(connection: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, dict[str, Any]]:
    found: dict[bytes, dict[str, Any]] = {}
    for start in range(0, len(keys), _ASKED_AT_ONCE):
        part = keys[start : start + _ASKED_AT_ONCE]
        query = f"SELECT key, reply FROM replies WHERE key IN ({','.join('?' * len(part))})"
        found.update((key, json.loads(reply)) for key, reply in connection.execute(query, part))
    return found


def _spent(connection: sqlite3.Connection, run: str) -> Any:
    return connection.execute("SELECT count(*), sum(tokens), sum(usd) FROM replies WHERE run=?", (run,)).fetchone()


def _settle(futures: Sequence[Future[Any]], result: Any = None, error: Exception | None = None) -> None:
    for future in futures:
        if not future.set_running_or_notify_cancel():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
