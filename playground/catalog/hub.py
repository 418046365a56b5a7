"""The model hub: searching it, and looking into a repository before anything is downloaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import quote

from playground.catalog.hub_client import HubClient
from playground.catalog.references import is_commit, is_repo_id
from playground.catalog.repository import Offer, RepoFile, find_offers
from playground.catalog.strict_json import parse_object
from playground.errors import HubError, InvalidRequest, RefusedRepository

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo

Sort = Literal["trending_score", "downloads", "likes", "last_modified", "created_at"]
MAX_CONFIG_BYTES = 4 * 2**20
_SORT_KEYS = {"trending_score": "trendingScore", "last_modified": "lastModified", "created_at": "createdAt"}
_ROW = ["downloads", "gated", "lastModified", "library_name", "likes", "pipeline_tag", "safetensors", "tags"]
_CONFIG = {"transformers": "config.json", "onnx": "config.json", "adapter": "adapter_config.json"}


@dataclass(frozen=True, slots=True)
class HubRow:
    """One find of a search. `parameters` is 0 when the Hub does not know; `formats` are the kinds of weights there."""

    repo: str
    downloads: int
    likes: int
    updated: datetime | None
    licence: str
    gated: bool
    parameters: int
    task: str
    formats: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """A repository at one commit. `offers` are the ways to use it, the best first, and never empty.

    `config` is the first offer's configuration file. `needs_code` says that the configuration points to Python code in
    the repository, which is never fetched: the model runs only if its architecture is known without it. `base` is the
    model that an adapter belongs to. `parameters` is 0 when the Hub does not know; `languages` are codes.
    """

    repo: str
    commit: str
    offers: tuple[Offer, ...]
    config: dict[str, Any]
    licence: str
    languages: tuple[str, ...]
    gated: bool
    parameters: int
    task: str
    link: str

    @property
    def model_type(self) -> str:
        """The architecture's short name, empty when the configuration has none."""
        value = self.config.get("model_type")
        return value if isinstance(value, str) else ""

    @property
    def needs_code(self) -> bool:
        """Whether the configuration points to code in the repository."""
        return bool(self.config.get("auto_map"))

    @property
    def base(self) -> str:
        """Hub id of the model that an adapter belongs to, empty for anything else."""
        return str(self.config["base_model_name_or_path"]) if self.offers[0].format == "adapter" else ""


class Hub:
    """A Hub as people see it. Safe to use from many threads; every method raises HubError."""

    def __init__(self, client: HubClient) -> None:
        self.client = client

    def search(
        self,
        query: str = "",
        *,
        task: str = "text-generation",
        size: tuple[float | None, float | None] = (None, None),
        licence: str = "",
        sort: Sort = "downloads",
        limit: int = 20,
    ) -> list[HubRow]:
        """Models of the Hub with `query` in their name.

        `task` is a task of the Hub (empty: any), `size` the least and the largest number of parameters, `licence` the
        Hub's name of a licence (`apache-2.0`). Raises InvalidRequest for an unknown order, naming what there is.
        """
        if sort not in get_args(Sort):
            raise InvalidRequest(f"Models cannot be sorted by {sort!r}; there are: {', '.join(get_args(Sort))}.")
        wanted: dict[str, Any] = {"filter": [f"license:{licence}"] if licence else [], "pipeline_tag": task}
        wanted |= {"num_parameters": _range(*size), "search": query.strip()[:200]}
        wanted |= {"sort": _SORT_KEYS.get(sort, sort), "limit": max(1, min(limit, 100)), "expand": _ROW}
        found = self.client.get_json("/api/models", {key: value for key, value in wanted.items() if value})
        if not isinstance(found, list):
            raise HubError("The Hub's answer to the search cannot be understood. Try again later.")
        return [_row(info) for info in _infos(found) if is_repo_id(info.id)][: wanted["limit"]]

    def inspect(self, repo: str, revision: str = "main") -> Inspection:
        """Look into a repository: the commit that `revision` stands for, its files, and what can be done with it.

        Raises RefusedRepository, saying why, when nothing in it can be loaded here safely.
        """
        address = f"/api/models/{repo}/revision/{quote(revision, safe='')}"
        info = next(_infos([self.client.get_json(address, {"blobs": True}, repo)]), None)
        if info is None or not is_commit(info.sha) or not is_repo_id(info.id):
            raise HubError(f"The Hub's answer about {repo} cannot be understood. Try again later.")
        offers = find_offers(info.id, list(_files(info)))
        inspection = Inspection(
            repo=info.id,
            commit=info.sha or "",
            offers=offers,
            config=self._config(info.id, info.sha or "", offers[0]),
            licence=_tagged(info, "license:") or "unknown",
            languages=_languages(info),
            gated=bool(info.gated),
            parameters=_parameters(info),
            task=info.pipeline_tag or "",
            link=f"{self.client.endpoint}/{info.id}",
        )
        if offers[0].format == "adapter" and not is_repo_id(inspection.config.get("base_model_name_or_path")):
            raise RefusedRepository(f"{repo} is a LoRA adapter that does not name its base model. Choose another one.")
        return inspection

    def small_file(self, inspection: Inspection, name: str) -> bytes | None:
        """A file of the first offer, wherever in the repository it lies; None if it is not there or too large."""
        for file in inspection.offers[0].files:
            if file.path.rpartition("/")[2] == name and file.size <= MAX_CONFIG_BYTES:
                address = self.address(inspection.repo, inspection.commit, file.path)
                return self.client.get_bytes(address, MAX_CONFIG_BYTES, inspection.repo)
        return None

    def address(self, repo: str, commit: str, path: str) -> str:
        """Where a file of a repository is fetched from."""
        from huggingface_hub import hf_hub_url  # noqa: PLC0415

        return hf_hub_url(repo, path, revision=commit, endpoint=self.client.endpoint)

    def _config(self, repo: str, commit: str, offer: Offer) -> dict[str, Any]:
        name = _CONFIG.get(offer.format, f"{offer.variant}/genai_config.json".lstrip("/"))
        if not any(file.path == name for file in offer.files):
            return {}
        raw = self.client.get_bytes(self.address(repo, commit, name), MAX_CONFIG_BYTES, repo)
        try:
            return parse_object(raw)
        except ValueError as error:
            raise RefusedRepository(f"{name} of {repo} is damaged ({error!s:.60}). Choose another model.") from error


def _infos(answers: Iterable[Any]) -> Iterator[ModelInfo]:
    """The answers that are descriptions of models, as the Hub's own library reads them."""
    from huggingface_hub import ModelInfo  # noqa: PLC0415

    for answer in answers:
        try:
            yield ModelInfo(**answer)  # type: ignore[no-untyped-call]
        except (TypeError, ValueError, KeyError, AttributeError):
            continue


def _files(info: ModelInfo) -> Iterator[RepoFile]:
    for file in info.siblings or []:
        large = file.lfs
        size = large.size if large is not None else file.size
        if not isinstance(size, int) or size < 0 or not isinstance(file.rfilename, str):
            raise HubError(f"The Hub does not say how large the files of {info.id} are. Try again later.")
        yield RepoFile(file.rfilename, size, large.sha256 if large is not None else "", file.blob_id or "")


def _range(low: float | None, high: float | None) -> str:
    ends = (("min", low), ("max", high))
    return ",".join(f"{name}:{value / 1e9:g}B" for name, value in ends if value is not None)


def _row(info: ModelInfo) -> HubRow:
    tags = {str(tag) for tag in info.tags or []}
    return HubRow(
        repo=info.id,
        downloads=info.downloads or 0,
        likes=info.likes or 0,
        updated=info.last_modified,
        licence=_tagged(info, "license:"),
        gated=bool(info.gated),
        parameters=_parameters(info),
        task=info.pipeline_tag or "",
        formats=tuple(name for name in ("safetensors", "onnx", "gguf") if name in tags),
    )


def _parameters(info: ModelInfo) -> int:
    total = getattr(info.safetensors, "total", None)
    return total if isinstance(total, int) and total > 0 else 0


def _tagged(info: ModelInfo, prefix: str) -> str:
    return next((str(tag)[len(prefix) :] for tag in info.tags or [] if str(tag).startswith(prefix)), "")


def _languages(info: ModelInfo) -> tuple[str, ...]:
    said = getattr(info.card_data, "language", None) if info.card_data is not None else None
    codes = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    return tuple(str(code) for code in codes if isinstance(code, str) and 2 <= len(code) <= 8)[:50]
