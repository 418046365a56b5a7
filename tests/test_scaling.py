"""What docs/scaling.md tells people to copy fits what there is."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from playground.catalog.rows import read_rows
from playground.config import PREFIX, Settings
from playground.storage.postgres import CONNECTIONS
from tests.nginx import documented_site

PAGE = (Path(__file__).parents[1] / "docs" / "scaling.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    return PAGE.split(f"```{language}\n")[1].split("\n```")[0]


def test_its_variables_are_settings() -> None:
    named = set(re.findall(rf"{PREFIX}([A-Z_]+)", PAGE))
    assert named
    assert named <= {item.name.upper() for item in fields(Settings)}


def test_its_compose_file_names_what_it_uses() -> None:
    compose = yaml.safe_load(block("yaml"))
    mounted = {volume.partition(":")[0] for one in compose["services"].values() for volume in one.get("volumes", ())}
    assert {name for name in mounted if not name.startswith(".")} == set(compose["volumes"])
    app = compose["services"]["app"]
    assert app["environment"]["PLAYGROUND_DATABASE_URL"] == "postgresql://playground@db/playground"
    assert set(app["depends_on"]) <= set(compose["services"])
    assert app["deploy"]["replicas"] * CONNECTIONS <= 100


def test_its_model_is_a_row_of_the_catalogue(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text(block("toml"), encoding="utf-8")
    (row,) = read_rows([file])
    assert row.id == yaml.safe_load(block("yaml"))["services"]["app"]["environment"]["PLAYGROUND_DEFAULT_MODEL"]
    assert row.hosts == ("vllm",)
    assert tomllib.loads(block("toml"))


@pytest.mark.parametrize(
    "needed", ["proxy_buffering off;", "hash $visitor consistent;", "X-Forwarded-For $remote_addr"]
)
def test_its_proxy_streams_and_keeps_visitors_where_they_are(needed: str) -> None:
    assert needed in documented_site()
