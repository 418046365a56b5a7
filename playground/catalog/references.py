"""What people paste to name a model: an id of the Hub, an address, or a folder of this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from playground.errors import InvalidRequest

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
_REPO = re.compile(rf"{_PART}/{_PART}")
_REVISION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,198}[A-Za-z0-9_])?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FOLDER = re.compile(r"(/|\./|\.\./|~|[A-Za-z]:[\\/]|\.\.?$)")
_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
_NOT_MODELS = ("datasets", "spaces", "collections", "papers", "docs", "blog", "organizations", "settings", "api")
_ADVICE = "Paste an id like owner/name, an address like https://huggingface.co/owner/name, or a folder."


@dataclass(frozen=True, slots=True)
class Reference:
    """Either `repo` (with a revision, `main` unless said otherwise) or `folder` is given."""

    repo: str = ""
    revision: str = "main"
    folder: Path | None = None


def parse_reference(text: str, endpoint: str = "https://huggingface.co") -> Reference:
    """Understand what was pasted; addresses may be those of the Hub at `endpoint` or of huggingface.co.

    Raises InvalidRequest, with a sentence, for anything else.
    """
    pasted = text.strip().strip("<>\"'").strip()
    if not pasted or len(pasted) > 1000 or not pasted.isprintable():
        raise InvalidRequest(_ADVICE)
    if _FOLDER.match(pasted):
        return _folder(pasted)
    if "://" in pasted or pasted.split("/")[0].lower() in _HOSTS:
        return _address(pasted, endpoint)
    repo, _, revision = pasted.partition("@")
    if not _REPO.fullmatch(repo):
        raise InvalidRequest(f"This is not the name of a model. {_ADVICE}")
    return _reference(repo, revision or "main")


def is_repo_id(text: object) -> bool:
    """Whether this is `owner/name` as the Hub has it."""
    return isinstance(text, str) and bool(_REPO.fullmatch(text)) and ".." not in text and "--" not in text


def is_revision(text: object) -> bool:
    """Whether this could be a branch, tag or commit."""
    return isinstance(text, str) and bool(_REVISION.fullmatch(text)) and ".." not in text and "//" not in text


def is_commit(text: object) -> bool:
    """Whether this is a whole commit hash."""
    return isinstance(text, str) and bool(_COMMIT.fullmatch(text))


def _folder(text: str) -> Reference:
    try:
        folder = Path(text).expanduser().resolve()
        exists = folder.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise InvalidRequest(f"This folder cannot be read. {_ADVICE}") from error
    if not exists:
        raise InvalidRequest(f"There is no such folder on this machine. {_ADVICE}")
    return Reference(folder=folder)


def _address(text: str, endpoint: str) -> Reference:
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        own = urlsplit(endpoint)
        host = (parts.hostname or "").lower()
    except ValueError as error:
        raise InvalidRequest(f"This address cannot be understood. {_ADVICE}") from error
    if parts.scheme not in {"http", "https"} or (host not in _HOSTS and parts.netloc != own.netloc):
        raise InvalidRequest(f"Only addresses of {own.hostname} are understood. {_ADVICE}")
    path = [unquote(part) for part in parts.path.split("/") if part]
    if len(path) < 2 or path[0] in _NOT_MODELS:
        raise InvalidRequest(f"This is not the address of a model. {_ADVICE}")
    revision = path[3] if len(path) > 3 and path[2] in {"tree", "blob", "resolve", "commit"} else "main"
    return _reference("/".join(path[:2]), revision)


def _reference(repo: str, revision: str) -> Reference:
    if not is_repo_id(repo):
        raise InvalidRequest(f"This is not the name of a model. {_ADVICE}")
    if not is_revision(revision):
        raise InvalidRequest("This is not the name of a revision. Give a branch, a tag or a commit hash.")
    return Reference(repo=repo, revision=revision)
