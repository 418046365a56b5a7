"""A built folder onto the Hub: the Space made or brought up to date, waited for, and its logs if it fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from playground.errors import AccessNeeded, HubBusy, HubError, HubUnreachable
from spaces.flavours import MOUNT, Flavour
from spaces.folder import Built

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huggingface_hub import HfApi, SpaceHardware, SpaceRuntime

Tell = Callable[[str], None]
KIND = "space"
_LOG_LINES = 60
_SETTLE_SECONDS = 20.0
"""How long the Hub may take to notice a commit: until then it still tells the stage from before."""
_FAILED = {
    "BUILD_ERROR": "could not be built",
    "CONFIG_ERROR": "has a README.md that the Hub does not accept",
    "NO_APP_FILE": "has no app file",
    "RUNTIME_ERROR": "stopped with an error",
    "STOPPED": "was stopped",
    "PAUSED": "is paused",
    "DELETING": "is being deleted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be on the Hub. `secrets` are values by name and shown nowhere; `bucket` is `owner/name` or empty.

    `hardware` is asked for (empty: left as it is). `renew` sets secrets that are there already, too.
    """

    space: str
    flavour: Flavour
    private: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    bucket: str = ""
    hardware: str = ""
    renew: bool = False


class Publisher:
    """Talks to the Hub through `huggingface_hub`; `tell` hears what is done, one line each."""

    def __init__(self, api: HfApi, tell: Tell, *, poll_seconds: float = 3.0) -> None:
        self._api = api
        self._tell = tell
        self._poll_seconds = poll_seconds

    def publish(self, order: Order, built: Built) -> bool:
        """Make the Space what was ordered; whether anything changed. Doing it twice changes nothing.

        Raises HubError (a subclass tells which), with the next step.
        """
        with _in_words(order):
            if order.bucket:
                self._api.create_bucket(order.bucket, private=True, exist_ok=True)
            new = not self._api.repo_exists(order.space, repo_type=KIND)
            changed = self._create(order) if new else self._adjust(order)
            return self._commit(order, built) or changed

    def wait(self, order: Order, seconds: float, *, changed: bool) -> str:
        """The address of the Space, once it runs. Raises HubError when it fails or takes longer; logs are told then."""
        with _in_words(order):
            stage = self._settled(order.space, time.monotonic() + seconds, changed=changed)
            if stage == "RUNNING":
                info = self._api.space_info(order.space)
                return info.host or f"{self._api.endpoint}/spaces/{order.space}"
            self._tell_logs(order, build=stage in {"BUILD_ERROR", "BUILDING", "RUNNING_BUILDING"})
            what = _FAILED.get(stage, f"does not run after {seconds:.0f} s (stage {stage})")
            raise HubError(f"The Space {order.space} {what}. Its log is above; mend that and deploy again.")

    def _create(self, order: Order) -> bool:
        asked: dict[str, Any] = {"space_hardware": order.hardware} if order.hardware else {}
        if order.bucket:
            asked["space_volumes"] = [_volume(order)]
        self._api.create_repo(
            order.space,
            repo_type=KIND,
            space_sdk=order.flavour.sdk,
            visibility="private" if order.private else "public",
            space_variables=_pairs(order.variables),
            space_secrets=_pairs(order.secrets),
            **asked,
        )
        self._tell(f"created {order.space}")
        return True

    def _adjust(self, order: Order) -> bool:
        """Bring an existing Space to what was ordered, touching only what differs."""
        api, space, done = self._api, order.space, []
        info = api.space_info(space)
        if order.private and not info.private:
            api.update_repo_settings(space, repo_type=KIND, visibility="private")
            done.append("made private")
        there = {name: found.value for name, found in api.get_space_variables(space).items()}
        for name, value in order.variables.items():
            if there.get(name) != value:
                api.add_space_variable(space, name, value)
                done.append(f"variable {name}")
        known = {} if order.renew else api.get_space_secrets(space)
        for name, value in order.secrets.items():
            if name not in known:
                api.add_space_secret(space, name, value)
                done.append(f"secret {name}")
        done += self._equip(order, api.get_space_runtime(space))
        for what in done:
            self._tell(what)
        return bool(done)

    def _equip(self, order: Order, runtime: SpaceRuntime) -> list[str]:
        done = []
        mounted = {(volume.source, volume.mount_path) for volume in runtime.volumes or ()}
        if order.bucket and (order.bucket, MOUNT) not in mounted:
            others = [volume for volume in runtime.volumes or () if volume.mount_path != MOUNT]
            self._api.set_space_volumes(order.space, [*others, _volume(order)])
            done.append(f"bucket {order.bucket} at {MOUNT}")
        if order.hardware and order.hardware not in {runtime.hardware, runtime.requested_hardware}:
            self._api.request_space_hardware(order.space, cast("SpaceHardware", order.hardware))  # a name will do
            done.append(f"hardware {order.hardware}")
        return done

    def _commit(self, order: Order, built: Built) -> bool:
        """One commit with what differs: files that are not in the folder go, but for `.gitattributes`."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete  # noqa: PLC0415

        info = self._api.space_info(order.space)
        there = {sibling.rfilename for sibling in info.siblings or ()} - {".gitattributes"}
        gone = sorted(there - set(built.files))
        operations = [CommitOperationAdd(name, str(built.folder / name)) for name in built.files]
        removed = [CommitOperationDelete(name) for name in gone]
        message = f"Deploy {built.commit}{' with local changes' if built.dirty else ''}, flavour {order.flavour.name}"
        made = self._api.create_commit(
            order.space, [*removed, *operations], commit_message=message, repo_type=KIND, num_threads=2
        )
        changed = made.oid != info.sha
        self._tell(f"commit {made.oid[:7]}" if changed else "the files are there already")
        return changed

    def _settled(self, space: str, deadline: float, *, changed: bool) -> str:
        """Follow the stages until one is final. After a change the stage from before is not believed for a while."""
        told, moved, believed = "", not changed, time.monotonic() + _SETTLE_SECONDS
        while True:
            runtime = self._api.get_space_runtime(space)
            stage = str(getattr(runtime.stage, "value", runtime.stage))
            if stage != told:
                self._tell(stage.lower().replace("_", " "))
                told = stage
            final = stage == "RUNNING" or stage in _FAILED
            moved = moved or not final
            now = time.monotonic()
            if (final and (moved or now > believed)) or now > deadline:
                return stage
            time.sleep(min(self._poll_seconds, max(0.0, deadline - now) + 0.01))

    def _tell_logs(self, order: Order, *, build: bool) -> None:
        hidden = [value for value in (*order.secrets.values(), self._api.token) if isinstance(value, str) and value]
        lines = [line.rstrip("\n") for line in self._api.fetch_space_logs(order.space, build=build)]
        for line in lines[-_LOG_LINES:]:
            for value in hidden:
                line = line.replace(value, "***")  # noqa: PLW2901
            self._tell(f"  | {line}")


def _volume(order: Order) -> Any:
    from huggingface_hub import Volume  # noqa: PLC0415

    return Volume(type="bucket", source=order.bucket, mount_path=MOUNT, read_only=False)


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": name, "value": value} for name, value in values.items()]


@contextmanager
def _in_words(order: Order) -> Iterator[None]:
    """Errors of `huggingface_hub` as sentences with a next step."""
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError  # noqa: PLC0415

    try:
        yield
    except LocalTokenNotFoundError as error:
        raise AccessNeeded("Nobody is logged in to the Hub. Run `hf auth login`, or set HF_TOKEN.") from error
    except HfHubHTTPError as error:
        raise _refused(order, error.response.status_code, error.server_message or "") from None
    except (RuntimeError, ValueError) as error:  # how the library tells of an upload that broke, or of a bad README.md
        raise HubError(f"A file could not be sent to {order.space} ({type(error).__name__}). Deploy again.") from error
    except OSError as error:  # the library's connection errors are among them, and so are files that cannot be read
        raise HubUnreachable(f"The Hub cannot be reached ({type(error).__name__}). Try again in a moment.") from error


def _refused(order: Order, status: int, said: str) -> HubError:
    told = f" It says: {said[:200]}" if said else ""
    if status == 401:
        return AccessNeeded(
            f"The Hub does not accept the login.{told} Run `hf auth login` with a token that may write."
        )
    if status == 402:
        return AccessNeeded(
            f"The Hub wants a paid plan for this.{told} A free account can host zerogpu Spaces: try --flavour zerogpu."
        )
    if status == 403:
        owner = order.space.partition("/")[0]
        return AccessNeeded(f"This login may not write to {owner}.{told} Use a token of {owner} that may write.")
    if status == 429:
        return HubBusy("The Hub asks for a pause. Try again in a few minutes.")
    return HubError(f"The Hub refused with status {status}.{told} Try again, or look at the Space's settings page.")


def masked(names: Iterable[str]) -> str:
    """Names of secrets, for people: never their values."""
    return ", ".join(f"{name}=***" for name in names)
