"""A stand-in for the Hub: the HTTP calls of huggingface_hub that a prior needs, on files in memory.

    python hub_server.py PORT_FILE LOG_FILE

What is pushed to OWNER/NAME can be pulled from there. The first download of weights breaks off half way, and
a query of /damage makes the next one arrive damaged.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES: dict[str, dict[str, bytes]] = {}
LARGE: dict[str, bytes] = {}  # by SHA-256
STATE = {"broken": False, "damage": False}
LOG = Path(sys.argv[2]) if len(sys.argv) > 2 else None


def is_large(name: str) -> bool:
    return name.endswith(".safetensors")


def etag(name: str, data: bytes) -> str:
    if is_large(name):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def entry(name: str, data: bytes) -> dict[str, Any]:
    """A file as the tree and the metadata of a repository name it."""
    facts: dict[str, Any] = {"type": "file", "path": name, "rfilename": name, "size": len(data)}
    facts["oid"] = facts["blobId"] = etag("", data)
    if is_large(name):
        facts["lfs"] = {
            "oid": etag(name, data),
            "sha256": etag(name, data),
            "size": len(data),
            "pointerSize": 130,
        }
    return facts


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        if LOG:
            with LOG.open("a") as file:
                file.write(f"{self.command} {self.path} {self.headers.get('Range', '')}\n")

    def answer(self, body: Any, status: int = 200, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/damage":
            STATE["damage"] = True
            return self.answer({})
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/revision/[^/]+)?", path):
            return self.repository(found[1])
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/.*", path):
            return self.answer([entry(name, data) for name, data in FILES.get(found[1], {}).items()])
        if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            return self.file(found[1], found[2])
        return self.answer({"error": "unknown"}, 404)

    do_HEAD = do_GET  # noqa: N815

    def repository(self, name: str) -> None:
        if name not in FILES:
            return self.answer({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")
        siblings = [entry(file, data) for file, data in FILES[name].items()]
        return self.answer({"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings, "tags": []})

    def file(self, repository: str, name: str) -> None:
        data = FILES.get(repository, {}).get(name)
        if data is None:
            return self.answer({"error": "Entry not found"}, 404, X_Error_Code="EntryNotFound")
        headers = {"ETag": f'"{etag(name, data)}"', "X_Repo_Commit": COMMIT, "Accept_Ranges": "bytes"}
        if is_large(name):
            headers |= {"X_Linked_Etag": f'"{etag(name, data)}"', "X_Linked_Size": str(len(data))}
        if self.command == "HEAD":
            return self.answer(b"", **headers, Content_Length=str(len(data)))
        start = int(re.findall(r"bytes=(\d+)-", self.headers.get("Range", "bytes=0-"))[0])
        if STATE["damage"] and is_large(name):
            STATE["damage"], data = False, data[:-1] + bytes([data[-1] ^ 1])
        if is_large(name) and not STATE["broken"]:
            STATE["broken"] = True
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
            return None
        span = {"Content_Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        return self.answer(data[start:], 206 if start else 200, **headers, **span)

    def do_POST(self) -> None:
        data = self.body()
        if self.path == "/api/repos/create":
            asked = json.loads(data)
            name = f"{asked.get('organization') or 'me'}/{asked['name']}"
            FILES.setdefault(name, {})
            return self.answer({"url": f"{self.address}/{name}", "id": name})
        if self.path == "/api/validate-yaml":
            return self.answer({"errors": [], "warnings": []})
        if found := re.fullmatch(r"/api/models/(.+)/preupload/.+", self.path):
            files = json.loads(data)["files"]
            modes = [
                {"path": f["path"], "uploadMode": "lfs" if is_large(f["path"]) else "regular"} for f in files
            ]
            return self.answer({"files": [{**mode, "shouldIgnore": False, "oid": None} for mode in modes]})
        if self.path.endswith("/info/lfs/objects/batch"):
            wanted = json.loads(data)["objects"]
            upload = lambda o: {"href": f"{self.address}/large/{o['oid']}", "header": {}}  # noqa: E731
            return self.answer(
                {"transfer": "basic", "objects": [{**o, "actions": {"upload": upload(o)}} for o in wanted]}
            )
        if found := re.fullmatch(r"/api/models/(.+)/commit/.+", self.path):
            return self.commit(found[1], data)
        return self.answer({"error": "unknown"}, 404)

    def do_PUT(self) -> None:
        data = self.body()
        LARGE[hashlib.sha256(data).hexdigest()] = data
        self.answer({})

    def commit(self, name: str, data: bytes) -> None:
        for line in data.splitlines():
            part = json.loads(line)
            value = part["value"]
            if part["key"] == "file":
                FILES[name][value["path"]] = base64.b64decode(value["content"])
            if part["key"] == "lfsFile":
                FILES[name][value["path"]] = LARGE[value["oid"]]
        url = f"{self.address}/{name}/commit/{COMMIT}"
        self.answer({"success": True, "commitUrl": url, "commitOid": COMMIT, "hookOutput": ""})

    @property
    def address(self) -> str:
        host, port = self.server.server_address[:2]
        return f"http://{host!s}:{port}"


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    Path(sys.argv[1]).write_text(str(server.server_address[1]))
    server.serve_forever()
