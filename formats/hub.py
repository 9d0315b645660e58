"""To the Hugging Face Hub and back: `push` a dataset folder, `pull` a repository.

The endpoint is HF_ENDPOINT's; the token is the one given, HF_TOKEN's or that of `hf auth login`,
and is never written anywhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from ..core.errors import InputError, RatherError, RunError
from ..core.secrets import hide, redact

_PUBLIC: Final = "https://huggingface.co"
_REPO: Final = re.compile(r"(?:[A-Za-z0-9][\w.\-]{0,95}/)?[A-Za-z0-9][\w.\-]{0,95}")
_UNSENT: Final = ("**/.*", ".*", "**/*.writing")
_STALE: Final = tuple(f"data/{split}-?????-of-?????.parquet" for split in ("train", "test"))
_LOGIN: Final = "set HF_TOKEN, or run `hf auth login`"


@final
@dataclass(frozen=True)
class Pushed:
    """What a push sent, or would send: the repository, its address, files with bytes, the card."""

    repo: str
    url: str
    private: bool
    files: tuple[tuple[str, int], ...]
    card: str
    sent: bool

    @property
    def bytes(self) -> int:
        """Bytes of all files together."""
        return sum(size for _, size in self.files)

    def __str__(self) -> str:
        """Files with their sizes and the card for a dry run; else where they went."""
        kept = "private" if self.private else "public"
        if self.sent:
            return f"{len(self.files)} files, {self.bytes:,} bytes: {self.url} ({kept})"
        lines = [f"{size:>15,}  {name}" for name, size in self.files]
        total = f"{self.bytes:>15,}  bytes in {len(self.files)} files would go to {self.url} ({kept})"
        return "\n".join([*lines, total, "", self.card])


def push(
    folder: str | Path, repo: str, *, private: bool = True, dry_run: bool = False, token: str | None = None
) -> Pushed:
    """Send a dataset folder to `repo` (`owner/name`, or `name` for one's own), which is made if missing.

    Files that are there already are not sent again, so that an interrupted push goes on where it
    stopped; shards of an earlier push that this folder does not have are deleted. `dry_run` reads
    the folder and uses no network. `private` holds for a repository that is made; one that exists
    stays as it is.
    Raises InputError (folder, name, token) and RunError (refused, unreachable).
    """
    root = Path(folder)
    files = _files(root)
    if fault := repo_fault(repo):
        raise InputError(fault, place="push")
    readme = root / "README.md"
    card = redact(readme.read_text(encoding="utf-8")) if readme.is_file() else ""
    if dry_run:
        return Pushed(repo, f"{endpoint()}/datasets/{repo}", private, files, card, sent=False)
    api = _api(_required(token))
    with _explained("push", repo):
        whole = api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True).repo_id
        with _quiet():
            api.upload_folder(
                repo_id=whole, folder_path=root, repo_type="dataset", commit_message="Write the dataset",
                ignore_patterns=list(_UNSENT), delete_patterns=list(_STALE) if (root / "data").is_dir() else None,
            )  # fmt: skip
        kept = bool(api.repo_info(whole, repo_type="dataset").private)
    return Pushed(whole, f"{endpoint()}/datasets/{whole}", kept, files, card, sent=True)


def pull(repo: str, folder: str | Path, *, revision: str | None = None, token: str | None = None) -> Path:
    """Bring a dataset repository into `folder`; what is there and unchanged is not fetched again.

    Raises InputError (name, no such repository or revision) and RunError (refused, unreachable).
    """
    if fault := repo_fault(repo):
        raise InputError(fault, place="pull")
    if "/" not in repo:
        raise InputError(f"{repo} names no owner", place="pull", hint="write owner/name")
    api = _api(token or _found_token())
    with _explained("pull", repo), _quiet():
        api.snapshot_download(repo, repo_type="dataset", revision=revision, local_dir=Path(folder))
    return Path(folder)


def endpoint() -> str:
    """Where the Hub is: HF_ENDPOINT, or the public one."""
    return os.environ.get("HF_ENDPOINT", _PUBLIC).rstrip("/") or _PUBLIC


def repo_fault(repo: str) -> str | None:
    """What is wrong with a repository's name; None if nothing."""
    if _REPO.fullmatch(repo) and "--" not in repo and ".." not in repo and not repo.endswith((".git", ".", "-")):
        return None
    return f"{repo!r} is no repository name; write owner/name with letters, digits, - _ . (at most 96 each)"


def token_fault() -> str | None:
    """Why nothing could be pushed: no token anywhere; None if there is one."""
    return None if _found_token() else f"no Hugging Face token; {_LOGIN}"


def _files(root: Path) -> tuple[tuple[str, int], ...]:
    if not root.is_dir():
        raise InputError("no such folder", place=str(root), hint="push the folder that write.parquet has written")
    names = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    found = tuple(
        (name, path.stat().st_size)
        for name, path in sorted(names.items())
        if not name.endswith(".writing") and not any(part.startswith(".") for part in name.split("/"))
    )
    if not any(name.endswith(".parquet") for name, _ in found):
        raise InputError("there is no Parquet file in it", place=str(root), hint="write the dataset first")
    return found


def _required(token: str | None) -> str:
    found = token or _found_token()
    if not found:
        raise InputError("no Hugging Face token", place="push", hint=_LOGIN)
    hide(found, "HF_TOKEN")
    return found


def _found_token() -> str | None:
    from huggingface_hub import get_token

    return get_token()


def _api(token: str | None) -> Any:
    from huggingface_hub import HfApi

    # False, not None: without a token of ours none is looked for behind our back
    return HfApi(endpoint=endpoint(), token=token or False, library_name="rather")


@contextmanager
def _quiet() -> Iterator[None]:
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    restore: Callable[[], None] | None = None if are_progress_bars_disabled() else enable_progress_bars
    disable_progress_bars()
    try:
        yield
    finally:
        if restore is not None:
            restore()


@contextmanager
def _explained(verb: str, repo: str) -> Iterator[None]:
    try:
        yield
    except RatherError:
        raise
    except Exception as error:
        raise _explanation(error, verb, repo) from error


def _explanation(error: BaseException, verb: str, repo: str) -> RatherError:
    place = f"{verb} {repo}"
    error = _root(error)
    status = _status(error)
    if status == 401:
        return InputError("the Hub does not accept the token", place=place, hint=_LOGIN)
    if status == 403:
        hint = "use a token that may write there, or another owner" if verb == "push" else "ask for access to it"
        return InputError("the token may not do this", place=place, hint=hint)
    if status == 404:
        return InputError("no such repository or revision", place=place, hint="check the name; is it private?")
    if status is not None:
        return RunError(f"the Hub answered {status}: {_said(error)}", place=place, hint="run the same again to go on")
    if isinstance(error, OSError) or any("Transport" in base.__name__ for base in type(error).__mro__):
        return RunError(f"cannot reach {endpoint()}: {_said(error)}", place=place, hint="run the same again to go on")
    return RunError(f"{type(error).__name__}: {_said(error)}", place=place, hint="run the same again to go on")


def _root(error: BaseException) -> BaseException:
    """The first answer of the server among the causes of an error; the error itself if none."""
    cause: BaseException | None = error
    while cause is not None and _status(cause) is None:
        cause = cause.__cause__ or cause.__context__
    return cause or error


def _status(error: BaseException) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _said(error: BaseException) -> str:
    lines = [line.strip() for line in redact(str(error)).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
