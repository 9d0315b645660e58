"""Which splits a dataset has: train and test, as its files, its saved folder or the Hub tell."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ..core.errors import InputError
from .hub_tables import HubTables, open_tables
from .tables import SHARD, suffix

_FIRST: Final = ("train", "validation", "test")


def splits_of(path: str) -> tuple[str, ...]:
    """Names of the splits behind a path or Hub id, train first; empty where the rows have none.

    Raises InputError for a dataset of the Hub that cannot be asked.
    """
    here = Path(path).expanduser()
    if (here / "dataset_dict.json").is_file():
        return _ordered(json.loads((here / "dataset_dict.json").read_text(encoding="utf-8"))["splits"])
    if here.is_dir():
        return _ordered(
            found["split"] for file in here.rglob("*") if suffix(file) and (found := SHARD.match(file.name))
        )
    if here.exists() or set(path) & set("*?["):
        return ()
    tables = open_tables(path, "train", "", "main", drop=False)
    return _ordered(_hub_splits(tables)) if isinstance(tables, HubTables) else ()


def _hub_splits(tables: HubTables) -> Iterable[str]:
    import datasets

    try:
        return list(datasets.get_dataset_split_names(tables.repo, revision=tables.revision))
    except Exception as error:
        tables.peek()  # explains what is wrong with the repository, if anything is
        raise InputError("its splits cannot be told", place=tables.repo, hint="name one: --split train") from error


def _ordered(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names), key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name)))
