"""The Hub against a real server: the same questions as its own library asks, and refusals in words."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, constants, hf_hub_download

from playground.catalog.addresses import check_target
from playground.catalog.hub import Hub
from playground.catalog.hub_client import HubClient, Patience
from playground.errors import (
    AccessNeeded,
    ConfigError,
    HubBusy,
    HubError,
    HubUnreachable,
    InvalidRequest,
    RefusedRepository,
    UnknownRepository,
)
from tests.hub_stand_in import Fault, HubStandIn
from tests.library.models import checkpoint, genai, noise

QUICK = Patience(first=0.01, longest=0.05, silence=2.0, answer=5.0)
SECRET = "hf_quite_secret_token"


Connect = Callable[..., Hub]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes a Hub for a stand-in."""
    with ExitStack() as stack:

        def connected(server: HubStandIn, **options: Any) -> Hub:
            client = HubClient(server.endpoint, patience=QUICK, **options)
            stack.callback(client.close)
            return Hub(client)

        yield connected


def test_the_hubs_own_library_and_this_one_ask_the_same(
    hub: HubStandIn, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    hub.add("o/small", checkpoint(), large={"model.safetensors"}, pipeline_tag="text-generation", tags=["license:mit"])
    api = HfApi(endpoint=hub.endpoint, token=False)
    theirs = list(
        api.list_models(
            filter=["license:mit"],
            search="small",
            pipeline_tag="text-generation",
            num_parameters="min:0.1B,max:4B",
            sort="trending_score",
            limit=7,
            expand=[
                "downloads",
                "gated",
                "lastModified",
                "library_name",
                "likes",
                "pipeline_tag",
                "safetensors",
                "tags",
            ],
        )
    )
    ours = connect(hub).search("small", size=(1e8, 4e9), licence="mit", sort="trending_score", limit=7)
    assert [row.repo for row in ours] == [info.id for info in theirs] == ["o/small"]
    first, second = hub.asked("/api/models")
    assert first.query == second.query
    info = api.model_info("o/small", files_metadata=True)
    inspection = connect(hub).inspect("o/small")
    assert inspection.commit == info.sha
    promised = {file.rfilename: file for file in info.siblings or []}
    for file in inspection.offers[0].files:
        assert (file.size, file.git_sha1) == (promised[file.path].size, promised[file.path].blob_id)
    (weights,) = [file for file in inspection.offers[0].files if file.sha256]
    lfs = promised[weights.path].lfs
    assert lfs is not None
    assert lfs.sha256 == weights.sha256


def test_the_hubs_own_library_downloads_from_the_stand_in(
    hub: HubStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    files = checkpoint(100_000)
    repo = hub.add("o/small", files, large={"model.safetensors"})
    for name in ("config.json", "model.safetensors"):
        got = hf_hub_download("o/small", name, local_dir=tmp_path, endpoint=hub.endpoint, token=False)
        assert Path(got).read_bytes() == files[name]
    tree = list(HfApi(endpoint=hub.endpoint, token=False).list_repo_tree("o/small", revision=repo.commit))
    assert {item.path for item in tree} == set(files)


def test_search_rows_carry_what_a_picker_shows(hub: HubStandIn, connect: Connect) -> None:
    fields = {
        "pipeline_tag": "text-generation",
        "downloads": 5,
        "likes": 2,
        "safetensors": {"parameters": {"BF16": 135_000_000}, "total": 135_000_000},
    }
    tags = ["license:apache-2.0", "safetensors", "onnx"]
    hub.add("o/one", checkpoint(), gated=True, tags=tags, lastModified="2026-01-02T03:04:05.000Z", **fields)
    hub.add("o/other", checkpoint(), pipeline_tag="fill-mask")
    (row,) = connect(hub).search("o")
    assert (row.repo, row.downloads, row.likes, row.licence, row.gated) == ("o/one", 5, 2, "apache-2.0", True)
    assert (row.parameters, row.formats, row.updated and row.updated.year) == (
        135_000_000,
        ("safetensors", "onnx"),
        2026,
    )
    assert {row.repo for row in connect(hub).search("", task="")} == {"o/one", "o/other"}
    with pytest.raises(InvalidRequest, match="downloads"):
        connect(hub).search("", sort="beauty")  # type: ignore[arg-type]


def test_inspection_reads_the_card(hub: HubStandIn, connect: Connect) -> None:
    facts = {
        "tags": ["license:mit"],
        "cardData": {"language": ["en", "vi"]},
        "safetensors": {"parameters": {"BF16": 7}, "total": 7},
    }
    repo = hub.add("o/m", checkpoint(), pipeline_tag="text-generation", **facts)
    seen = connect(hub).inspect("o/m")
    assert (seen.commit, seen.licence, seen.languages, seen.parameters) == (repo.commit, "mit", ("en", "vi"), 7)
    assert (seen.model_type, seen.needs_code, seen.gated, seen.base) == ("llama", False, False, "")
    assert seen.config["max_position_embeddings"] == 4096
    assert seen.link == f"{hub.endpoint}/o/m"
    names = {file.path for file in seen.offers[0].files}
    assert names == {"config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors", "README.md"}


def test_variants_and_adapters(hub: HubStandIn, connect: Connect) -> None:
    hub.add("o/genai", genai("gpu/int4") | genai("cpu/int4"))
    assert [offer.variant for offer in connect(hub).inspect("o/genai").offers] == ["cpu/int4", "gpu/int4"]
    assert connect(hub).inspect("o/genai").config == {"model": {"context_length": 8192}}
    adapter = {"adapter_config.json": b'{"base_model_name_or_path": "o/base"}', "adapter_model.safetensors": noise(9)}
    hub.add("o/adapter", adapter)
    seen = connect(hub).inspect("o/adapter")
    assert (seen.offers[0].format, seen.base) == ("adapter", "o/base")
    hub.add("o/lost", adapter | {"adapter_config.json": b'{"base_model_name_or_path": "../../etc"}'})
    with pytest.raises(RefusedRepository, match="base model"):
        connect(hub).inspect("o/lost")


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (Fault("", None, 404, {"X-Error-Code": "RepoNotFound"}), UnknownRepository, ["o/m", "Check the name"]),
        (Fault("", None, 404, {"X-Error-Code": "RevisionNotFound"}), UnknownRepository, ["o/m", "revision"]),
        (Fault("", None, 401), UnknownRepository, ["o/m", "hf auth login"]),
        (
            Fault("", None, 401, {"X-Error-Message": "Invalid credentials in Authorization header"}),
            AccessNeeded,
            ["token"],
        ),
        (Fault("", None, 403), AccessNeeded, ["o/m", "hf auth login"]),
        (Fault("", None, 403, {"X-Error-Code": "GatedRepo"}), AccessNeeded, ["agreement", "/o/m", "HF_TOKEN"]),
        (Fault("", None, 429, {"Retry-After": "3600"}), HubBusy, ["pause", "3600 seconds"]),
        (Fault("", None, 429, {"RateLimit": '"api";r=0;t=299'}), HubBusy, ["299 seconds"]),
        (Fault("", None, 503), HubBusy, ["503", "few minutes"]),
        (Fault("", None, 418), HubError, ["418"]),
        (Fault("", None, body=b"<html>"), HubError, ["cannot be read"]),
        (Fault("", None, body=b"[" * 100_000), HubError, ["nested too deeply"]),
        (Fault("", None, body=b'{"id": NaN}'), HubError, ["NaN"]),
        (Fault("", None, body=b'{"id": "o/m", "sha": "../../x"}'), HubError, ["cannot be understood"]),
        (Fault("", None, body=b"[]"), HubError, ["cannot be understood"]),
        (Fault("", None, cut_after=10), HubUnreachable, ["cannot be reached"]),
        (Fault("", None, redirect="http://10.1.2.3/x"), HubError, ["10.1.2.3", "not followed"]),
        (Fault("", None, redirect="file:///etc/passwd"), HubError, ["not followed"]),
        (Fault("", None, redirect="/api/models/o/m"), HubError, ["circles"]),
    ],
)
def test_refusals_are_sentences_without_the_token(
    hub: HubStandIn, connect: Connect, fault: Fault, error: type[HubError], words: list[str]
) -> None:
    hub.add("o/m", checkpoint())
    hub.faults.append(fault)
    with pytest.raises(error) as caught:
        connect(hub, token=SECRET).inspect("o/m")
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert SECRET not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_trouble_that_passes_is_waited_out(hub: HubStandIn, connect: Connect) -> None:
    hub.add("o/m", checkpoint())
    hub.faults += [
        Fault("/api/", 1, 503),
        Fault("/api/", 1, 429, {"Retry-After": "0"}),
        Fault("/api/", 1, cut_after=5),
        Fault("config.json", 1, 500),
    ]
    assert connect(hub).inspect("o/m").repo == "o/m"


def test_retry_after_is_obeyed(hub: HubStandIn, connect: Connect) -> None:
    hub.add("o/m", checkpoint())
    hub.faults.append(Fault("/api/", 1, 429, {"Retry-After": "1"}))
    began = time.monotonic()
    connect(hub).inspect("o/m")
    assert time.monotonic() - began >= 1.0


def test_an_endless_answer_is_not_read(hub: HubStandIn, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("playground.catalog.hub_client.MAX_JSON_BYTES", 1 << 20)
    hub.add("o/m", checkpoint())
    hub.faults.append(Fault("", None, body=b'["' + b"x" * (5 << 20) + b'"]'))
    with pytest.raises(HubError, match="longer than 1 MiB"):
        connect(hub).inspect("o/m")


def test_a_large_configuration_is_not_read(hub: HubStandIn, connect: Connect) -> None:
    hub.add("o/m", checkpoint() | {"config.json": json.dumps({"x": "y" * (5 << 20)}).encode()})
    with pytest.raises(HubError, match="longer than 4 MiB"):
        connect(hub).inspect("o/m")


def test_the_token_goes_to_the_hub_and_no_further(hub: HubStandIn, connect: Connect) -> None:
    hub.add("o/m", checkpoint(), gated=True)
    with pytest.raises(AccessNeeded, match="agreement"):
        connect(hub).inspect("o/m")
    seen = connect(hub, token=hub.token).inspect("o/m")
    assert seen.gated
    with HubStandIn() as elsewhere:
        hub.faults.append(Fault("config.json", 1, redirect=f"{elsewhere.endpoint}/stolen"))
        with pytest.raises(UnknownRepository):
            connect(hub, token=hub.token).inspect("o/m")
        (request,) = elsewhere.asked("stolen")
        assert "authorization" not in request.headers


def test_the_environments_token_is_used(hub: HubStandIn, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", hub.token)
    hub.add("o/m", checkpoint(), gated=True)
    assert connect(hub).inspect("o/m").repo == "o/m"
    assert "torch" not in hub.asked("/api/")[0].headers["user-agent"]


def test_offline_and_unreachable_hubs_are_told(hub: HubStandIn, connect: Connect) -> None:
    with pytest.raises(HubUnreachable, match="offline"):
        connect(hub, offline=True).search("x")
    assert not hub.seen
    hub.faults.append(Fault("", None, cut_after=0))
    with pytest.raises(HubUnreachable, match="Check the connection"):
        connect(hub).search("x")


@pytest.mark.parametrize("address", ["http://hub.example", "ftp://x", "huggingface.co", "https://a:b@c", ""])
def test_an_unsafe_endpoint_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="hub_endpoint"):
        HubClient(address)


@pytest.mark.parametrize("token", ["hf_x\ny", "hf_ü", "hf_\x00"])
def test_a_broken_token_is_told_and_not_shown(hub: HubStandIn, connect: Connect, token: str) -> None:
    with pytest.raises(AccessNeeded) as caught:
        connect(hub, token=token).search("x")
    assert "hf_" not in repr(caught.value)
    assert not hub.seen


def test_a_name_that_means_another_address_by_the_time_it_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: public when it is looked at, this machine when it is asked. Nothing is sent there."""
    public = HubClient("https://hub.example", patience=Patience(attempts=1))
    answers = iter(["93.184.216.34", "127.0.0.1"])
    resolve = socket.getaddrinfo
    with socket.create_server(("127.0.0.1", 0)) as inside:
        port = inside.getsockname()[1]

        def rebinding(host: Any, *arguments: Any, **options: Any) -> Any:
            return resolve(next(answers) if host == "rebind.example" else host, *arguments, **options)

        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        target = f"https://rebind.example:{port}/latest/meta-data"
        check_target(target, public.endpoint)
        with pytest.raises(HubError, match=r"rebind.example, which is not a public address"), public.open(target, {}):
            pass
        inside.settimeout(5)
        connection, _ = inside.accept()
        with connection:
            connection.settimeout(5)
            assert connection.recv(1) == b""  # closed, and not even a greeting came
    public.close()
