"""The page in a real browser: frames move, a person is clicked and explained, a dead camera says so."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from stream.sources.status import SourceState, SourceStatus

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install '.[dev]')")
CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture
def moving(page):
    """The page of two cameras, the second of which never shows anything, while scenes come."""
    page.sources["clip"].status = SourceStatus(SourceState.WAITING, "refused", time.monotonic() - 70)
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.wait(0.05):
            page.write(brightness=40 + number % 100)
            number += 1

    thread = threading.Thread(target=write)
    thread.start()
    yield page
    stop.set()
    thread.join()


@pytest.mark.parametrize("width", [1280, 390])
def test_watch_and_ask_why(moving, worlds, width):
    worlds.need(str(CHROMIUM), "chromium")
    faults = []
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        tab = chromium.new_page(viewport={"width": width, "height": 800})
        tab.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: faults.append(str(error)))
        asked = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(moving.address())
        person = tab.get_by_role("button", name="sitting 90% #7, for 1 min 5 s")
        person.wait_for(timeout=30_000)
        assert tab.locator(".down", has_text="waiting for 1 min 1").is_visible()
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        grey = "(c => c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data[0])"
        canvas = tab.locator("canvas").first
        first = canvas.evaluate(grey)
        assert worlds.wait_until(lambda: canvas.evaluate(grey) != first)

        # by the picture: somebody unknown, on the right
        box = canvas.bounding_box()
        canvas.click(position={"x": box["width"] * 0.75, "y": box["height"] * 0.5})
        tab.get_by_role("heading", name="#8, unknown: why?").wait_for(timeout=10_000)
        assert "beyond the rejection radius" in tab.locator("#why-sentence").inner_text()
        tab.keyboard.press("Escape")
        assert not tab.locator("#why").is_visible()

        # by the keyboard
        person.focus()
        tab.keyboard.press("Enter")
        tab.get_by_role("heading", name="#7, why sitting?").wait_for(timeout=10_000)
        assert tab.locator("#why-examples tr").count() == 2
        assert person.get_attribute("aria-pressed") == "true"
        tab.keyboard.press("Escape")
        assert person.evaluate("button => button === document.activeElement")

        tab.get_by_role("button", name="door", exact=True).click()
        assert tab.url.endswith("#door")
        assert tab.locator(".camera.chosen h2").inner_text().endswith("door")
        chromium.close()
    assert faults == []
    assert all(url.startswith((moving.address(), moving.address("", "ws"))) or url.startswith("blob:") for url in asked)
