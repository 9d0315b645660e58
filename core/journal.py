"""Every reply that was paid for, durable before it is used: SQLite, WAL, commits in groups."""

from __future__ import annotations

import hashlib
import json
import queue
import sqlite3
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, final

from .errors import InputError

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS replies (
  key BLOB PRIMARY KEY, model TEXT NOT NULL, attempt INTEGER NOT NULL, reply TEXT NOT NULL,
  tokens INTEGER NOT NULL, usd REAL NOT NULL, seconds REAL NOT NULL, run TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS replies_run ON replies (run);
"""
_GROUP: Final = 512


def call_key(identity: Mapping[str, Any], request: Mapping[str, Any], attempt: int) -> bytes:
    """SHA-256 of what decides a reply: the model's identity, the request and the attempt."""
    text = json.dumps([identity, request, attempt], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


@final
class Journal:
    """Replies by key. One thread owns the connection: it answers look-ups and commits in groups.

    `put` returns a future that is done once the reply is on disk. Nothing secret is given to it:
    keys are hashes, and replies are what the model said.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._work: queue.Queue[tuple[str, Any, Future[Any]] | None] = queue.Queue()
        opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._serve, args=(opened,), daemon=True, name="journal")
        self._thread.start()
        try:
            opened.result()
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"the journal cannot be used: {error}", place=str(path), hint="move it away to begin a new one"
            ) from error

    def get(self, key: bytes) -> Future[dict[str, Any] | None]:
        """The reply kept under a key, or None."""
        return self._ask("get", key)

    def put(
        self,
        key: bytes,
        model: str,
        attempt: int,
        reply: Mapping[str, Any],
        tokens: int,
        usd: float,
        seconds: float,
        run: str,
    ) -> Future[None]:
        """Keep a reply; the future is done once it is durable. A key already there stays as it is."""
        text = json.dumps(reply, ensure_ascii=False, separators=(",", ":"))
        return self._ask("put", (key, model, attempt, text, tokens, usd, seconds, run))

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
            self._answer(connection, [item for item in group if item is not None])
        connection.close()

    @staticmethod
    def _answer(connection: sqlite3.Connection, group: list[tuple[str, Any, Future[Any]]]) -> None:
        puts = [(item, future) for verb, item, future in group if verb == "put"]
        if puts:
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(
                    "INSERT OR IGNORE INTO replies VALUES (?,?,?,?,?,?,?,?)", [item for item, _ in puts]
                )
                connection.execute("COMMIT")
                for _, future in puts:
                    future.set_result(None)
            except sqlite3.DatabaseError as error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                for _, future in puts:
                    future.set_exception(error)
        for verb, item, future in group:
            if verb == "get":
                row = connection.execute("SELECT reply FROM replies WHERE key=?", (item,)).fetchone()
                future.set_result(None if row is None else json.loads(row[0]))
            elif verb == "spent":
                query = "SELECT count(*), sum(tokens), sum(usd) FROM replies WHERE run=?"
                future.set_result(connection.execute(query, (item,)).fetchone())
