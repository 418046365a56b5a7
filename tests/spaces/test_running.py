"""The CPU flavour's folder, running as on a Space: the page, an answer, and conversations that survive a lost disk."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx

from spaces.flavours import FLAVOURS
from spaces.folder import Content, build_folder
from tests.e2e.visitor import Visitor
from tests.spaces.running import running


def test_the_folder_runs_by_itself_and_a_bucket_brings_conversations_back(tmp_path: Path) -> None:
    content = Content(title="Playground", models=("pip",))
    folder = build_folder(FLAVOURS["cpu"], content, tmp_path / "space").folder
    home, bucket = tmp_path / "home", tmp_path / "bucket"
    cookies = {"playground_owner": "a" * 32}
    variables = {"PLAYGROUND_SNAPSHOT_DIR": str(bucket)}
    with running(folder, home, variables) as space:
        answer = httpx.get(f"{space.address}/en/")
        assert "frame-ancestors 'self' https://huggingface.co" in answer.headers["Content-Security-Policy"]
        assert "SameSite=None; Secure; Partitioned" in answer.headers["set-cookie"]
        with Visitor(space.address, cookies=cookies) as visitor:
            said = visitor.talk("What is a token?")
            assert len(said[1]) > 10
            assert visitor.value("sidefoot") == {"workbench": False, "temporary": False}
    log = space.log.read_text(encoding="utf-8")
    assert "serving at https://me-play.hf.space" in log
    assert "Traceback" not in log
    assert len(list(bucket.glob("playground-*.db"))) >= 1  # the last one at the end
    shutil.rmtree(home)
    with running(folder, home, variables) as space, Visitor(space.address, cookies=cookies) as visitor:
        assert visitor.titles
        kept = httpx.get(f"{space.address}/export/conversations.json", cookies=cookies).json()
    assert [message["content"] for message in kept["conversations"][0]["messages"]] == said
