"""The API of `tests/api` without limits on how often it may be asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.conftest import Site, served, settings_in


@pytest.fixture(scope="package")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The API behind all that stands before it, on a socket."""
    settings = settings_in(tmp_path_factory.mktemp("api"), api_requests_per_minute=0, api_concurrent=0)
    with served(settings, pages=True) as site:
        yield site
