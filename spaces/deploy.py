"""`python -m spaces.deploy OWNER/NAME --flavour zerogpu|cpu|docker`: a Space from this checkout, made or updated."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from playground.catalog.catalog import SHIPPED, Catalog
from playground.catalog.spec import ModelSpec
from playground.config import PREFIX
from playground.errors import ConfigError, PlaygroundError
from spaces.flavours import FLAVOURS, MOUNT, Flavour
from spaces.folder import ROOT, Built, Content, build_folder
from spaces.publisher import Order, Publisher, masked

if TYPE_CHECKING:
    from huggingface_hub import HfApi

SECRETS = (f"{PREFIX}OPERATOR_TOKEN", f"{PREFIX}MODERATION_KEY")
"""Sent along as secrets when they are set here."""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_VARIABLE = re.compile(r"[A-Za-z_]\w*")
_WAIT_SECONDS = 1800


def main(arguments: Sequence[str] | None = None, api: HfApi | None = None, root: Path = ROOT) -> int:
    """Deploy as the command line says; returns the exit status.

    `api` stands for the Hub (None: the real one), `root` is the checkout.
    """
    options = _parser().parse_args(arguments)
    try:
        return _deploy(options, api, root, os.environ)
    except PlaygroundError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _deploy(options: argparse.Namespace, api: HfApi | None, root: Path, environment: Mapping[str, str]) -> int:
    flavour = FLAVOURS[options.flavour]
    specs = [chosen(name, flavour) for name in options.model or (flavour.model,)]
    order = _order(options, flavour, environment)
    with ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory())) / "space"
        built = build_folder(flavour, _content(options, specs), folder, root)
        _describe(built, order)
        if options.dry_run:
            _tell("dry run: nothing was sent")
            return 0
        publisher = Publisher(api or _hub(), _tell, poll_seconds=options.poll_seconds)
        changed = publisher.publish(order, built)
        if order.hardware == "" and not flavour.free:
            _tell(f"made for {flavour.hardware} or better, which costs money: ask for it with --hardware")
        if not options.no_wait:
            _tell(f"running at {publisher.wait(order, options.wait_seconds, changed=changed)}")
    return 0


def chosen(name: str, flavour: Flavour) -> ModelSpec:
    """A model of the catalogue that this flavour can run. Raises UnknownModel or ConfigError."""
    spec = Catalog.load(SHIPPED).get(name)
    engines = {spec.engine, *spec.engines}
    if not spec.offered:
        raise ConfigError(f"{spec.name} is not offered to chat with. Choose another --model.")
    if not engines & {flavour.engine, "onnx", "echo"}:
        raise ConfigError(f"{spec.name} does not run with {flavour.engine}. Choose another --model or --flavour.")
    return spec


def _order(options: argparse.Namespace, flavour: Flavour, environment: Mapping[str, str]) -> Order:
    if not _NAME.fullmatch(options.space):
        raise ConfigError(f"{options.space} is no name of a Space. Write OWNER/NAME.")
    if options.bucket and not _NAME.fullmatch(options.bucket):
        raise ConfigError(f"{options.bucket} is no name of a bucket. Write OWNER/NAME.")
    variables = {}
    for given in options.variable:
        name, equals, value = given.partition("=")
        if not equals or not _VARIABLE.fullmatch(name):
            raise ConfigError(f"--variable {name}: write NAME=VALUE.")
        variables[name] = value
    if options.bucket:
        variables.setdefault(f"{PREFIX}SNAPSHOT_DIR", f"{MOUNT}/{options.space.partition('/')[2]}")
    secrets = {name: environment[name] for name in SECRETS if environment.get(name)}
    for name in options.secret:
        if not environment.get(name):
            raise ConfigError(f"--secret {name}: that variable is not set here. Secrets are read from the environment.")
        secrets[name] = environment[name]
    hardware = options.hardware or (flavour.hardware if flavour.name == "zerogpu" else "")
    return Order(
        space=options.space,
        flavour=flavour,
        private=options.private,
        variables=variables,
        secrets=secrets,
        bucket=options.bucket,
        hardware=hardware,
        renew=options.renew_secrets,
    )


def _content(options: argparse.Namespace, specs: Sequence[ModelSpec]) -> Content:
    repositories = tuple(dict.fromkeys(spec.source.repo for spec in specs if spec.source and spec.source.repo))
    return Content(
        title=options.title or "Playground",
        models=tuple(spec.id for spec in specs),
        repositories=repositories,
        preload=tuple(dict.fromkeys(line for spec in specs if (line := _preload(spec)))),
    )


def _preload(spec: ModelSpec) -> str:
    """A line of `preload_from_hub`. Gated repositories cannot be fetched while a Space is built."""
    return spec.source.repo if spec.source and not spec.gated else ""


def _describe(built: Built, order: Order) -> None:
    changes = " with local changes" if built.dirty else ""
    _tell(f"{len(built.files)} files, {built.total / 1e6:.1f} MB, from {built.commit}{changes}: {built.folder}")
    for name, value in order.variables.items():
        _tell(f"variable {name}={value}")
    if order.secrets:
        _tell(f"secrets {masked(order.secrets)}")
    if not order.bucket:
        _tell("no --bucket: what people write is lost whenever the Space restarts, and the page says so")


def _hub() -> HfApi:
    from huggingface_hub import HfApi, get_token  # noqa: PLC0415

    if get_token() is None:
        raise ConfigError("Nobody is logged in to the Hub. Run `hf auth login`, or set HF_TOKEN.")
    return HfApi()


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m spaces.deploy",
        description="Make or update a Hugging Face Space from this checkout.",
        epilog="The login is that of `hf auth login` or HF_TOKEN; it is shown nowhere and not sent into the Space.",
        allow_abbrev=False,
    )
    parser.add_argument("space", metavar="OWNER/NAME")
    parser.add_argument("--flavour", choices=sorted(FLAVOURS), required=True)
    parser.add_argument("--private", action="store_true", help="only you see the Space")
    parser.add_argument("--model", action="append", metavar="ID", help="a catalogue id; the first is the default model")
    parser.add_argument("--title", help="the name people see [Playground]")
    parser.add_argument(
        "--bucket", default="", metavar="OWNER/NAME", help="storage bucket that conversations are kept in"
    )
    parser.add_argument("--hardware", default="", help="ask for this hardware; anything but the free kinds costs money")
    parser.add_argument("--variable", action="append", default=[], metavar="NAME=VALUE", help="public setting")
    parser.add_argument("--secret", action="append", default=[], metavar="NAME", help="send this variable of mine")
    parser.add_argument("--renew-secrets", action="store_true", help="set secrets that are there already, too")
    parser.add_argument("--folder", type=Path, help="build the folder here and keep it")
    parser.add_argument("--dry-run", action="store_true", help="build the folder, send nothing")
    parser.add_argument("--no-wait", action="store_true", help="do not wait until the Space runs")
    parser.add_argument("--wait-seconds", type=float, default=_WAIT_SECONDS, help=f"at most [{_WAIT_SECONDS}]")
    parser.add_argument("--poll-seconds", type=float, default=3.0, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
