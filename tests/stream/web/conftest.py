"""What the tests of the page share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stream.web.worlds import Page, page_of


@pytest.fixture
def page(worlds: object) -> Iterator[Page]:
    """A page of two cameras, on which nothing has happened yet."""
    pytest.importorskip("uvicorn", reason="the extra web is not installed (pip install '.[web]')")
    with page_of(worlds) as opened:
        yield opened
