"""The Docker Space's image without Docker: every step of its Dockerfile done, in order, in a root of its own.

The root is a fresh Debian made by debootstrap, which stands for the image named after FROM: its Python is Debian's.
RUN, COPY, USER, ENV, WORKDIR and CMD are done as Docker does them: RUN and CMD as the user of the last USER, in an
environment of nothing but ENV. CMD gets a network of its own, so that EXPOSE's port is free, and is asked there over
HTTP.

Needs root, debootstrap, and the registries that pip and apt use here: their configuration is handed in for the build.
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
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from spaces.flavours import FLAVOURS, PORT
from spaces.folder import Content, build_folder
from tests.spaces.conftest import ROOT

TOOLS = ("debootstrap", "chroot", "unshare", "nsenter", "mount")
PACKAGES = "python3,python3-pip,python3-venv,ca-certificates"
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
        return ["chroot", f"--userspec={user}:{group}", str(self.root), "env", "-i", *words, *moved]


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


@contextmanager
def fresh_root(folder: Path) -> Iterator[Path]:
    """A Debian with a `python`, its own processes and devices, and the way to the registries that this machine uses."""
    sources = "\n".join(
        file.read_text(encoding="utf-8") for file in Path("/etc/apt").glob("sources.list*/*") if file.is_file()
    )
    if Path("/etc/apt/sources.list").exists():
        sources += Path("/etc/apt/sources.list").read_text(encoding="utf-8")
    mirror = re.search(r"https?://[^\s\]]+", sources)
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    assert mirror is not None
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", release["VERSION_CODENAME"].strip('"')]
    done = subprocess.run([*command, str(folder), mirror[0]], capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (folder / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    for marker in folder.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):  # the image's own Python has none
        marker.unlink()
    with ExitStack() as stack:
        for place in ("/proc", "/dev", "/etc/resolv.conf", *pip_places(folder)):
            target = folder / place.lstrip("/")
            if Path(place).is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.touch()
            subprocess.run(["mount", "--bind", place, str(target)], check=True, timeout=30)
            stack.callback(subprocess.run, ["umount", "--lazy", str(target)], check=True, timeout=30)
        yield folder


def pip_places(folder: Path) -> list[str]:
    """This machine's configuration of pip, written into the image's root; the files and folders that it names."""
    told = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, timeout=60, check=True
    )
    pairs = [
        re.fullmatch(r"(?:global|user|site|install|:env:)\.?([\w-]+)='(.*)'", line) for line in told.stdout.splitlines()
    ]
    lines = [f"{pair[1]} = {pair[2].encode().decode('unicode_escape')}" for pair in pairs if pair]
    text = "[global]\n" + "".join(line.replace("\n", "\n    ") + "\n" for line in lines)
    (folder / "etc/pip.conf").write_text(text, encoding="utf-8")
    named = re.findall(
        r"(?:file://)?(/[\w./-]+)",
        text + " ".join(os.environ.get(name, "") for name in os.environ if name.startswith("PIP_")),
    )
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
    with fresh_root(tmp_path / "root") as root:
        image = Image(root)
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
