"""The Docker Space's image without Docker: every step of its Dockerfile done, in order, in a root of its own.

The root stands for the image named after FROM: the programs of this machine and this Python, read-only; all else is
empty, so homes, configuration and packages are the image's own. RUN, COPY, USER, ENV, WORKDIR and CMD are done as
Docker does them: RUN and CMD as the user of the last USER, in an environment of nothing but ENV. CMD gets a network of
its own, so that EXPOSE's port is free, and is asked there over HTTP. Mounts are those of the processes alone and go
with them.

Needs root, and the index that pip uses here: its configuration is handed in for the build.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from spaces.flavours import FLAVOURS, PORT
from spaces.folder import Content, build_folder
from tests.spaces.conftest import ROOT

TOOLS = ("chroot", "unshare", "nsenter", "mount", "useradd")
ACCOUNTS = {"passwd": "root:x:0:0:root:/root:/bin/sh", "group": "root:x:0:", "shadow": "root:*:1::::::"}
DEVICES = ("null", "zero", "random", "urandom")
# What programs read of a system: where libraries are, who may sign for whom, how names are found, how users are made.
CONFIGURATION = ("ld.so.cache", "nsswitch.conf", "resolv.conf", "hosts", "login.defs")
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")
ASK = """
import json, sys
import httpx
from tests.e2e.visitor import Visitor
address = f"http://127.0.0.1:{sys.argv[1]}"
page = httpx.get(f"{address}/en/", timeout=60)
with Visitor(address, cookies={"playground_owner": "c" * 32}) as visitor:
    said = visitor.talk("What is a token?")
api = httpx.get(f"{address}/v1/models").status_code
policy = page.headers["Content-Security-Policy"]
print(json.dumps({"page": page.status_code, "policy": policy, "said": said, "api": api}))
"""

pytestmark = [
    pytest.mark.timeout(3000),
    pytest.mark.skipif(os.geteuid() != 0, reason="a root folder of one's own needs root"),
    pytest.mark.skipif(
        any(shutil.which(tool) is None for tool in TOOLS), reason=f"not all of these are installed: {', '.join(TOOLS)}"
    ),
]


@dataclass
class Image:
    """What the instructions have made so far."""

    root: Path
    seen: list[str]
    user: str = "root"
    folder: str = "/"
    environment: dict[str, str] = field(
        default_factory=lambda: {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    )
    exposed: list[int] = field(default_factory=list)
    command: list[str] = field(default_factory=list)

    def filled(self, text: str) -> str:
        """`text` with the variables that are known by now."""
        return _VARIABLE.sub(lambda name: self.environment.get(name[1], ""), text)

    def place(self, path: str) -> Path:
        """Where a path of the image is on this machine."""
        return self.root / os.path.normpath(Path(self.folder) / self.filled(path)).lstrip("/")

    def ids(self, user: str) -> tuple[int, int]:
        """User and group of a name of the image."""
        lines = (line.split(":") for line in (self.root / "etc/passwd").read_text(encoding="utf-8").splitlines())
        return next((int(parts[2]), int(parts[3])) for parts in lines if user in (parts[0], parts[2]))

    def inside(self, command: list[str], variables: Mapping[str, str] | None = None) -> list[str]:
        """The command line that runs `command` in the image, as its user and with its environment."""
        user, group = self.ids(self.user)
        words = [f"{name}={value}" for name, value in {**self.environment, **(variables or {})}.items()]
        moved = ["sh", "-c", 'cd "$0" && exec "$@"', self.folder, *command]
        changed = ["chroot", f"--userspec={user}:{group}", str(self.root), "env", "-i", *words, *moved]
        mounts = "".join(f"mount --rbind {place} {self.root}{place}\n" for place in self.seen)
        own = f"mount --bind {self.root}/usr-local {self.root}/usr/local\n"
        own += f"mount --bind {self.root}/packages {self.root}{base_packages()}\n"
        closed = "".join(f"mount -o remount,ro,bind {self.root}{place}\n" for place in self.seen if place != "/proc")
        return ["unshare", "--mount", "sh", "-ec", f'{mounts}{closed}{own}exec "$@"', "sh", *changed]


def instructions(file: Path) -> Iterator[tuple[str, str]]:
    """Name and rest of each, with continued lines joined."""
    text = file.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, rest = line.strip().partition(" ")
            yield name, rest.strip()


def run(image: Image, rest: str) -> None:
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_") and name != "PIP_USER"}
    done = subprocess.run(
        image.inside(["sh", "-c", rest], pip), capture_output=True, text=True, timeout=2400, check=False
    )
    assert done.returncode == 0, f"RUN {rest}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


def copy(image: Image, rest: str, context: Path) -> None:
    words = rest.split()
    owner = next((word.partition("=")[2] for word in words if word.startswith("--chown=")), "root")
    *sources, target = [word for word in words if not word.startswith("--")]
    user, group = image.ids(owner)
    for source in sources:
        origin = context / source
        into = image.place(target)
        made = shutil.copytree(origin, into, dirs_exist_ok=True) if origin.is_dir() else shutil.copy(origin, into)
        below = (
            [Path(made) / path.relative_to(origin) for path in origin.rglob("*")] if origin.is_dir() else [Path(made)]
        )
        for path in below:
            os.chown(path, user, group)


def settle(image: Image, name: str, rest: str, context: Path) -> None:
    """Do one instruction. An unknown one is an error: nothing is read over."""
    match name:
        case "FROM":
            assert rest.startswith("python:3")
        case "RUN":
            run(image, rest)
        case "COPY":
            copy(image, rest, context)
        case "USER":
            image.user = rest
        case "ENV":
            image.environment |= dict(image.filled(pair).split("=", 1) for pair in shlex.split(rest))
        case "WORKDIR":
            image.folder = image.filled(rest)
            image.place(".").mkdir(parents=True, exist_ok=True)  # root's, if it is new
        case "EXPOSE":
            image.exposed.append(int(rest))
        case "CMD":
            image.command = json.loads(rest)
        case _:
            raise AssertionError(f"the Dockerfile has an instruction that is not known here: {name}")


def fresh_root(folder: Path) -> Image:
    """An empty system with a `python`, in which this machine's programs are seen."""
    for place in ("usr", "usr-local/bin", "etc", "proc", "dev", "home", "root", "var/tmp", "tmp"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    for place in ("tmp", "var/tmp"):
        (folder / place).chmod(0o1777)
    for place in ("bin", "sbin", "lib", "lib64"):
        (folder / place).symlink_to(f"usr/{place}")
    for name in CONFIGURATION:
        if Path("/etc", name).exists():
            shutil.copy(Path("/etc", name), folder / "etc" / name)
    for name, line in (
        ("passwd", "root:x:0:0:root:/root:/bin/sh"),
        ("group", "root:x:0:"),
        ("shadow", "root:*:1::::::"),
    ):
        (folder / "etc" / name).write_text(f"{line}\n", encoding="utf-8")
    (folder / "usr-local/bin/python").symlink_to(Path(sys.executable).resolve())
    base = Path(sys.base_prefix)
    _keep_pip_only(folder / "packages")
    ours = [] if base.is_relative_to("/usr") else [str(base)]
    seen = ["/proc", "/usr", "/etc/ssl", "/etc/alternatives", *(f"/dev/{name}" for name in DEVICES), *ours]
    seen += [place for place in pip_places(folder) if not any(place.startswith(f"{one}/") for one in seen)]
    for place in seen:
        target = folder / place.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if Path(place).is_dir():
            target.mkdir(exist_ok=True)
        else:
            target.touch()
    return Image(folder, seen)


def base_packages() -> Path:
    """Where this machine's Python keeps what was installed into it."""
    return Path(sysconfig.get_path("purelib", vars={"base": sys.base_prefix, "installed_base": sys.base_prefix}))


def _keep_pip_only(packages: Path) -> None:
    """As in the image: nothing is installed but pip."""
    packages.mkdir()
    for part in base_packages().glob("pip*"):
        if part.is_dir() and re.fullmatch(r"pip(-[\d.]+\.dist-info)?", part.name):
            shutil.copytree(part, packages / part.name)


def pip_places(folder: Path) -> list[str]:
    """This machine's configuration of pip, written into the image's root; the files and folders that it names."""
    told = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, timeout=60, check=True
    )
    form = re.compile(r"(?:global|user|site|install|:env:)\.([\w-]+)='(.*)'")
    pairs = [found for found in map(form.fullmatch, told.stdout.splitlines()) if found]
    known = {pair[1]: pair[2].encode().decode("unicode_escape").replace("\n", "\n    ") for pair in pairs}
    text = "[global]\n" + "".join(f"{name} = {value}\n" for name, value in known.items())
    (folder / "etc/pip.conf").write_text(text, encoding="utf-8")
    handed = [value for name, value in os.environ.items() if name.startswith("PIP_")]
    named = re.findall(r"(?:file://)?(/[\w./-]+)", " ".join([text, *handed]))
    outside = {
        str(Path(place)) for place in named if Path(place).exists() and not (folder / place.lstrip("/")).exists()
    }
    roots = {
        place for place in outside if not any(place != other and place.startswith(f"{other}/") for other in outside)
    }
    return sorted(
        roots | {str(Path(place).parent / "files") for place in roots if (Path(place).parent / "files").is_dir()}
    )


@contextmanager
def started(image: Image, log: Path) -> Iterator[int]:
    """CMD, as a Space runs it, in a network of its own; gives the number of its process."""
    variables = {"SPACE_ID": "me/play", "SPACE_HOST": "me-play.hf.space", "PLAYGROUND_OFFLINE": "true"}
    variables |= {"OMP_NUM_THREADS": "1", "PLAYGROUND_DEVICE": "cpu"}
    alone = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"]
    with log.open("wb") as output:
        process = subprocess.Popen([*alone, *image.inside(image.command, variables)], stdout=output, stderr=output)
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def asked(pid: int, port: int, log: Path) -> dict[str, object]:
    """What the server in that process's network answers, once it does."""
    deadline = time.monotonic() + 300
    while True:
        command = ["nsenter", f"--target={pid}", "--net", sys.executable, "-c", ASK, str(port)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
        if done.returncode == 0:
            return dict(json.loads(done.stdout))
        assert time.monotonic() < deadline, done.stderr[-1000:] + log.read_text(errors="replace")[-3000:]
        time.sleep(1)


def test_every_step_of_the_image_is_done_and_it_answers(tmp_path: Path) -> None:
    context = build_folder(FLAVOURS["docker"], Content(title="Playground", models=("pip",)), tmp_path / "space").folder
    image = fresh_root(tmp_path / "root")
    for name, rest in instructions(context / "Dockerfile"):
        settle(image, name, rest, context)
    assert image.ids(image.user)[0] == 1000
    assert image.exposed == [PORT]
    log = tmp_path / "log.txt"
    with started(image, log) as pid:
        told = asked(pid, PORT, log)
        owner = Path(f"/proc/{pid}").stat().st_uid
    assert owner == 1000
    assert told["page"] == 200
    assert "frame-ancestors 'self' https://huggingface.co" in str(told["policy"])
    assert "token" in str(told["said"]).casefold()
    assert told["api"] == 401  # a Space's API wants a key
    written = log.read_text(encoding="utf-8", errors="replace")
    assert "serving at https://me-play.hf.space" in written
    assert "Traceback" not in written
