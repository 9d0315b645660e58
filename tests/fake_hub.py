"""A Hugging Face Hub in this process: repositories, commits (regular, LFS, Xet), listing, download.

    with Hub() as hub:
        os.environ |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token}

`hub.calls` lists every request; `hub.refuse_after` makes it refuse uploads beyond that many blobs.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from .fake_repo import Repo
from .fake_xet import shard_files

_LARGE = (".parquet", ".safetensors", ".bin", ".arrow", ".png", ".jpg", ".tar", ".zip", ".gz")
_DIRECTORY = {"type": "directory", "size": 0, "oid": "0" * 40}
_NEVER = 4102444800


class Hub:
    """The server and what it holds: `repos` by (kind, id), `blobs` by SHA-256, `calls` made."""

    def __init__(self, token: str = "hf_test", user: str = "tester") -> None:
        self.token, self.user = token, user
        self.repos: dict[tuple[str, str], Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.xorbs: dict[str, bytes] = {}
        self.calls: list[tuple[str, str, int]] = []
        self.refuse_after: int | None = None
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": self}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Hub:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def dataset(self, name: str) -> Repo:
        return self.repos["datasets", name]

    def uploads(self) -> list[str]:
        """Paths of the requests that carried file content."""
        return [path for _, path, _ in self.calls if re.match(r"/lfs/[0-9a-f]{64}|/v1/xorbs", path)]


class Handler(BaseHTTPRequestHandler):
    """One connection; ROUTES below say which method answers what."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *words: object) -> None:
        """Nothing is printed."""

    def answer(
        self, found: Any = None, code: int = 200, headers: dict[str, Any] | None = None, body: bytes | None = None
    ) -> None:
        body = json.dumps(found).encode() if body is None else body
        self.send_response(code)
        for key, value in (headers or {}).items():
            self.send_header(key, str(value))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, code: int, kind: str, message: str) -> None:
        self.answer({"error": message}, code, {"X-Error-Code": kind, "X-Error-Message": message})

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def handle_request(self) -> None:
        url = urlsplit(self.path)
        self.raw, self.query = self.read_body(), parse_qs(url.query)
        self.hub.calls.append((self.command, self.path, len(self.raw)))
        for methods, pattern, act in ROUTES:
            match = re.fullmatch(pattern, unquote(url.path))
            if match and self.command in methods.split("|"):
                return act(self, *match.groups())
        return self.refuse(404, "NotFound", f"no route {self.path}")

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = handle_request  # noqa: N815

    def known(self) -> bool:
        """Whether the caller has the token."""
        return self.headers.get("Authorization") == f"Bearer {self.hub.token}"

    def may_write(self) -> bool:
        if not self.known():
            self.refuse(401, "", "Invalid credentials")
        return self.known()

    def repo(self, kind: str | None, name: str) -> Repo | None:
        found = self.hub.repos.get(((kind or "models").strip("/"), name))
        if found is None or (found.private and not self.known()):
            self.refuse(404 if self.known() else 401, "RepoNotFound", "Repository not found")
            return None
        return found

    # accounts and repositories

    def whoami(self) -> None:
        if self.may_write():
            access = {"type": "access_token", "accessToken": {"displayName": "t", "role": "write"}}
            self.answer({"type": "user", "name": self.hub.user, "fullname": self.hub.user, "orgs": [], "auth": access})

    def create(self) -> None:
        if not self.may_write():
            return None
        asked = json.loads(self.raw)
        owner = asked.get("organization") or self.hub.user
        if owner != self.hub.user:
            return self.refuse(403, "", "You don't have the rights to create a dataset under this namespace")
        kind, name = asked.get("type", "model") + "s", f"{owner}/{asked['name']}"
        url = f"{self.hub.url}/{'' if kind == 'models' else kind + '/'}{name}"
        if (kind, name) in self.hub.repos:
            return self.answer({"error": "You already created this repo", "url": url}, 409)
        private = bool(asked.get("private")) or asked.get("visibility") == "private"
        self.hub.repos[kind, name] = Repo(private)
        return self.answer({"url": url, "name": name, "id": name})

    def info(self, kind: str, name: str, revision: str | None = None) -> None:
        if repo := self.repo(kind, name):
            siblings = [{"rfilename": path} for path in repo.files]
            flags = {"private": repo.private, "disabled": False, "gated": False, "downloads": 0, "likes": 0, "tags": []}
            head = {"_id": name, "id": name, "author": name.split("/")[0], "sha": repo.commits[0]["id"]}
            self.answer({**head, **flags, "siblings": siblings})

    def tree(self, kind: str, name: str, revision: str, under: str | None) -> None:
        repo, prefix = self.repo(kind, name), (under or "").strip("/")
        if repo is None:
            return None
        start = prefix + "/" if prefix else ""
        inside = [path for path in repo.files if path.startswith(start)]
        folders = {path[: at.start()] for path in inside for at in re.finditer("/", path) if at.start() > len(start)}
        if prefix and not inside:
            return self.refuse(404, "EntryNotFound", "not found")
        deep = self.query.get("recursive", ["false"])[0].lower() in ("true", "1")
        shown = [path for path in inside if deep or "/" not in path[len(start) :]]
        found = [{**_DIRECTORY, "path": folder} for folder in sorted(folders)]
        return self.answer(found + [repo.entry(path) for path in shown])

    def paths_info(self, kind: str, name: str, revision: str) -> None:
        try:
            wanted = json.loads(self.raw)["paths"]
        except ValueError:
            wanted = parse_qs(self.raw.decode())["paths"]
        if repo := self.repo(kind, name):
            folders = {path[: at.start()] for path in repo.files for at in re.finditer("/", path)}
            files = [repo.entry(path) for path in wanted if path in repo.files]
            self.answer(files + [{**_DIRECTORY, "path": path} for path in wanted if path in folders])

    def refs(self, kind: str, name: str) -> None:
        if repo := self.repo(kind, name):
            main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repo.commits[0]["id"]}
            self.answer({"branches": [main], "tags": [], "converts": []})

    def log(self, kind: str, name: str, revision: str) -> None:
        if repo := self.repo(kind, name):
            self.answer(repo.commits)

    def validate_yaml(self) -> None:
        self.answer({"errors": [], "warnings": []})

    # upload

    def preupload(self, kind: str, name: str, revision: str) -> None:
        repo = self.repo(kind, name) if self.may_write() else None
        if repo is None:
            return
        found = []
        for asked in json.loads(self.raw)["files"]:
            path = asked["path"]
            mode = "lfs" if path.endswith(_LARGE) or asked["size"] > 10_000_000 else "regular"
            oid = repo.oid(path) if path in repo.files else None
            found.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        self.answer({"files": found})

    def lfs_batch(self, kind: str | None, name: str) -> None:
        objects = []
        for asked in json.loads(self.raw)["objects"]:
            found = {"oid": asked["oid"], "size": asked["size"]}
            if asked["oid"] not in self.hub.blobs:
                upload = {"href": f"{self.hub.url}/lfs/{asked['oid']}", "header": {}}
                found["actions"] = {"upload": upload, "verify": {"href": f"{self.hub.url}/lfs/verify", "header": {}}}
            objects.append(found)
        self.answer({"transfer": "basic", "objects": objects})

    def lfs_put(self, oid: str) -> None:
        with self.hub.lock:
            limit = self.hub.refuse_after
            if limit is not None and len(self.hub.blobs) >= limit:
                return self.refuse(413, "", "no more today")
            if hashlib.sha256(self.raw).hexdigest() != oid:
                return self.answer({"error": "hash"}, 422)
            self.hub.blobs[oid] = self.raw
        return self.answer(body=b"")

    def lfs_verify(self) -> None:
        self.answer({}, 200 if json.loads(self.raw)["oid"] in self.hub.blobs else 404)

    def commit(self, kind: str, name: str, revision: str) -> None:
        repo = self.repo(kind, name) if self.may_write() else None
        if repo is None:
            return None
        lines = [json.loads(line) for line in self.raw.splitlines() if line.strip()]
        head, changes = lines[0]["value"], [(line["key"], line["value"]) for line in lines[1:]]
        if head.get("parentCommit") not in (None, repo.commits[0]["id"]):
            return self.answer({"error": "A commit has happened since. Please refresh and try again."}, 412)
        lost = [value["path"] for key, value in changes if key == "lfsFile" and value["oid"] not in self.hub.blobs]
        if lost:
            return self.answer({"error": f"LFS pointer pointed to a file that does not exist: {lost[0]}"}, 400)
        for key, value in changes:
            self.apply(repo, key, value)
        oid = repo.commit(head["summary"])
        url = f"{self.hub.url}/{kind}/{name}/commit/{oid}"
        return self.answer({"success": True, "commitOid": oid, "commitUrl": url, "hookOutput": ""})

    def apply(self, repo: Repo, key: str, value: dict[str, Any]) -> None:
        if key == "file":
            repo.put(value["path"], base64.b64decode(value["content"]), large=False)
        elif key == "lfsFile":
            repo.put(value["path"], self.hub.blobs[value["oid"]], large=True)
        else:
            repo.remove(value["path"], folder=key == "deletedFolder")

    # Xet's content-addressed store

    def xet_token(self, kind: str, name: str, mode: str, revision: str) -> None:
        headers = {"X-Xet-Cas-Url": self.hub.url, "X-Xet-Access-Token": "xet", "X-Xet-Token-Expiration": _NEVER}
        self.answer({"casUrl": self.hub.url, "accessToken": "xet", "exp": _NEVER}, headers=headers)

    def xorb(self, prefix: str, digest: str) -> None:
        self.hub.xorbs[digest] = self.raw
        self.answer({"was_inserted": True})

    def shard(self) -> None:
        self.hub.blobs.update(shard_files(self.raw, self.hub.xorbs))
        self.answer({"result": 1})

    # download

    def resolve(self, kind: str | None, name: str, revision: str, path: str) -> None:
        repo = self.repo(kind, name)
        if repo is None:
            return None
        if path not in repo.files:
            return self.refuse(404, "EntryNotFound", "Entry not found")
        content, etag = repo.files[path], f'"{repo.oid(path)}"'
        headers = {"ETag": etag, "X-Linked-Etag": etag, "X-Linked-Size": len(content), "Accept-Ranges": "bytes"}
        headers |= {"X-Repo-Commit": repo.commits[0]["id"], "Content-Type": "application/octet-stream"}
        if asked := re.match(r"bytes=(\d*)-(\d*)", self.headers.get("Range") or ""):
            low, high = asked.groups()
            first = int(low) if low else len(content) - int(high)
            last = min(int(high) if low and high else len(content) - 1, len(content) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            return self.answer(code=206, headers=headers, body=content[first : last + 1])
        return self.answer(headers=headers, body=content)


_API, _NAME = r"/api/(models|datasets|spaces)", r"([^/]+/[^/]+)"
ROUTES: list[tuple[str, str, Callable[..., None]]] = [
    ("GET", r"/api/whoami-v2", Handler.whoami),
    ("POST", r"/api/repos/create", Handler.create),
    ("POST", r"/api/validate-yaml", Handler.validate_yaml),
    ("POST", rf"{_API}/{_NAME}/preupload/(.+)", Handler.preupload),
    ("POST", rf"{_API}/{_NAME}/commit/(.+)", Handler.commit),
    ("POST", rf"{_API}/{_NAME}/paths-info/(.+)", Handler.paths_info),
    ("GET", rf"{_API}/{_NAME}/tree/([^/]+)(/.*)?", Handler.tree),
    ("GET", rf"{_API}/{_NAME}/refs", Handler.refs),
    ("GET", rf"{_API}/{_NAME}/commits/(.+)", Handler.log),
    ("GET|HEAD", rf"{_API}/{_NAME}/xet-(read|write)-token/(.+)", Handler.xet_token),
    ("GET|HEAD", rf"{_API}/{_NAME}/revision/(.+)", Handler.info),
    ("GET|HEAD", rf"{_API}/{_NAME}", Handler.info),
    ("POST", rf"/(datasets/|spaces/)?{_NAME}\.git/info/lfs/objects/batch", Handler.lfs_batch),
    ("PUT", r"/lfs/([0-9a-f]{64})", Handler.lfs_put),
    ("POST", r"/lfs/verify", Handler.lfs_verify),
    ("POST|PUT", r"/v1/xorbs/([^/]+)/([0-9a-f]+)", Handler.xorb),
    ("POST|PUT", r"/v1/shards|/shards", Handler.shard),
    ("GET|HEAD", rf"/(datasets/|spaces/)?{_NAME}/resolve/([^/]+)/(.+)", Handler.resolve),
]
