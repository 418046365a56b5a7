"""Spaces on the Hub's stand-in: made, filled, set up, run and failing, as `huggingface_hub` 2.4 asks for it.

`hub.spaces` are the Spaces by id. A commit sends a Space through `stages`; each question about its runtime moves it one
further. Large files come by the LFS protocol, as without the `hf_xet` package.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.hub_stand_in import HubRequest

LARGE = 5 * 2**20
LIFE = ("BUILDING", "APP_STARTING", "RUNNING")


@dataclass
class Space:
    """A Space. `stages` is what is still to come, the last one stays; `logs` are lines by `build` and `run`."""

    id: str
    sdk: str
    private: bool = False
    files: dict[str, bytes] = field(default_factory=lambda: {".gitattributes": b"*.onnx filter=lfs\n"})
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    volumes: list[dict[str, Any]] = field(default_factory=list)
    hardware: str = "cpu-basic"
    stages: list[str] = field(default_factory=lambda: ["NO_APP_FILE"])
    logs: dict[str, list[str]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    @property
    def commit(self) -> str:
        digest = hashlib.sha1(repr(sorted(self.files.items())).encode())
        return digest.hexdigest()

    def runtime(self) -> dict[str, Any]:
        hardware = {"current": self.hardware, "requested": self.hardware}
        return {"stage": self.stages[0], "hardware": hardware, "volumes": self.volumes}


@dataclass
class SpacesState:
    """All Spaces, and what the Hub does next. `life` are the stages after a commit; `refusal` answers a creation."""

    spaces: dict[str, Space] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    buckets: set[str] = field(default_factory=set)
    life: tuple[str, ...] = LIFE
    logs: dict[str, list[str]] = field(default_factory=dict)
    refusal: tuple[int, str] | None = None
    writes: list[str] = field(default_factory=list)


def _create(request: HubRequest) -> None:
    state, asked = request.stand_in.state, request.json()
    if state.refusal is not None:
        request.refuse(state.refusal[0], "", state.refusal[1])
        return
    name = f"{asked['organization']}/{asked['name']}"
    space = Space(name, asked["sdk"], asked.get("visibility") == "private")
    space.variables = {item["key"]: item["value"] for item in asked.get("variables", ())}
    space.secrets = {item["key"]: item["value"] for item in asked.get("secrets", ())}
    space.volumes = asked.get("volumes", [])
    space.hardware = asked.get("hardware", space.hardware)
    space.logs = state.logs
    state.spaces[name] = space
    request.send_json({"url": f"{request.stand_in.endpoint}/spaces/{name}"})


def _with_space(answer: Callable[[HubRequest, Space], None]) -> Callable[..., None]:
    def found(request: HubRequest, name: str, *_rest: str) -> None:
        space = request.stand_in.state.spaces.get(name)
        if space is None:
            request.refuse(404, "RepoNotFound", "Repository not found")
        elif not request.has_token():
            request.refuse(401, "", "Invalid username or password.")
        else:
            answer(request, space)

    return found


def _info(request: HubRequest, space: Space) -> None:
    host = f"https://{space.id.replace('/', '-').lower()}.hf.space"
    facts = {"id": space.id, "sha": space.commit, "private": space.private, "sdk": space.sdk, "host": host}
    request.send_json(facts | {"siblings": [{"rfilename": name} for name in space.files]})


def _preupload(request: HubRequest, space: Space) -> None:
    told = []
    for asked in request.json()["files"]:
        content = space.files.get(asked["path"])
        mode = "lfs" if asked["size"] > LARGE else "regular"
        fact = {"path": asked["path"], "uploadMode": mode, "shouldIgnore": False}
        if content is not None:
            git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            fact["oid"] = hashlib.sha256(content).hexdigest() if mode == "lfs" else git
        told.append(fact)
    request.send_json({"files": told})


def _batch(request: HubRequest, space: Space) -> None:
    told = []
    for asked in request.json()["objects"]:
        upload = {"href": f"{request.stand_in.endpoint}/lfs/{asked['oid']}"}
        there = asked["oid"] in request.stand_in.state.blobs
        told.append({"oid": asked["oid"], "size": asked["size"]} | ({} if there else {"actions": {"upload": upload}}))
    request.send_json({"transfer": "basic", "objects": told})


def _upload(request: HubRequest, oid: str) -> None:
    body = request.body
    if hashlib.sha256(body).hexdigest() != oid:
        request.refuse(400, "", "The content is not what was announced.")
        return
    request.stand_in.state.blobs[oid] = body
    request.send_json({})


def _commit(request: HubRequest, space: Space) -> None:
    for line in request.body.splitlines():
        item = json.loads(line)
        value = item["value"]
        match item["key"]:
            case "header":
                space.messages.append(value["summary"])
            case "file":
                space.files[value["path"]] = base64.b64decode(value["content"])
            case "lfsFile":
                space.files[value["path"]] = request.stand_in.state.blobs[value["oid"]]
            case "deletedFile":
                del space.files[value["path"]]
    space.stages = list(request.stand_in.state.life)
    url = f"{request.stand_in.endpoint}/spaces/{space.id}/commit/{space.commit}"
    request.send_json({"commitUrl": url, "commitOid": space.commit})


def _variables(request: HubRequest, space: Space) -> None:
    if request.command == "POST":
        asked = request.json()
        space.variables[asked["key"]] = asked["value"]
    request.send_json({name: {"value": value} for name, value in space.variables.items()})


def _secrets(request: HubRequest, space: Space) -> None:
    if request.command == "POST":
        asked = request.json()
        space.secrets[asked["key"]] = asked["value"]
    request.send_json({name: {} for name in space.secrets})


def _runtime(request: HubRequest, space: Space) -> None:
    request.send_json(space.runtime())
    if len(space.stages) > 1:
        space.stages.pop(0)


def _hardware(request: HubRequest, space: Space) -> None:
    space.hardware = request.json()["flavor"]
    request.send_json(space.runtime())


def _volumes(request: HubRequest, space: Space) -> None:
    space.volumes = request.json()["volumes"]
    request.send_json({})


def _settings(request: HubRequest, space: Space) -> None:
    space.private = request.json()["visibility"] == "private"
    request.send_json({})


def _logs(request: HubRequest, name: str, kind: str) -> None:
    lines = request.stand_in.state.spaces[name].logs.get(kind, [])
    events = [{"data": f"{line}\n", "timestamp": "2026-01-01T00:00:00Z"} for line in lines]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    request.send(200, body.encode(), {"Content-Type": "text/event-stream"})


def _bucket(request: HubRequest, name: str) -> None:
    request.stand_in.state.buckets.add(name)
    request.send_json({"url": f"{request.stand_in.endpoint}/buckets/{name}"})


def _valid(request: HubRequest) -> None:
    content = request.json()["content"]
    errors = [] if content.startswith("---\n") else [{"message": "no front matter"}]
    request.send(400 if errors else 200, json.dumps({"errors": errors, "warnings": []}).encode(), {})


_NAME = r"([\w.-]+/[\w.-]+)"
_SPACE = rf"/api/spaces/{_NAME}"
ROUTES: tuple[tuple[str, re.Pattern[str], Callable[..., None]], ...] = (
    ("POST", re.compile("/api/repos/create"), _create),
    ("POST", re.compile("/api/validate-yaml"), _valid),
    ("POST", re.compile(rf"/api/buckets/{_NAME}"), _bucket),
    ("POST", re.compile(rf"/spaces/{_NAME}\.git/info/lfs/objects/batch"), _with_space(_batch)),
    ("PUT", re.compile(r"/lfs/(\w+)"), _upload),
    ("GET", re.compile(_SPACE), _with_space(_info)),
    ("GET", re.compile(rf"{_SPACE}/revision/main"), _with_space(_info)),
    ("POST", re.compile(rf"{_SPACE}/preupload/main"), _with_space(_preupload)),
    ("POST", re.compile(rf"{_SPACE}/commit/main"), _with_space(_commit)),
    ("GET", re.compile(rf"{_SPACE}/variables"), _with_space(_variables)),
    ("POST", re.compile(rf"{_SPACE}/variables"), _with_space(_variables)),
    ("GET", re.compile(rf"{_SPACE}/secrets"), _with_space(_secrets)),
    ("POST", re.compile(rf"{_SPACE}/secrets"), _with_space(_secrets)),
    ("GET", re.compile(rf"{_SPACE}/runtime"), _with_space(_runtime)),
    ("POST", re.compile(rf"{_SPACE}/hardware"), _with_space(_hardware)),
    ("PUT", re.compile(rf"{_SPACE}/volumes"), _with_space(_volumes)),
    ("PUT", re.compile(rf"{_SPACE}/settings"), _with_space(_settings)),
    ("GET", re.compile(rf"{_SPACE}/logs/(build|run)"), _logs),
)
