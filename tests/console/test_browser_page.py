"""The console in a real browser, with a plugin that failed: who can use it, and how."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from corehost.core.namespace import lock_key
from support.browsing import DESKTOP, PHONE, Visit, chromium
from support.packages import revision_source, spec
from support.processes import wait_until

from .conftest import World, chain, shop, write_own

FAILURE = "raise RuntimeError('no answer from postgresql://app:hunter2@db.example/shop, password=hunter2')"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all of these tests."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def url(world: World) -> Iterator[str]:
    """A console on a database where one plugin failed, and has something pending since."""
    shop(world.site)
    revisions = {**chain("broken", 1), "02": revision_source("broken2", "broken1", upgrade=FAILURE)}
    write_own(world.site, "broken", spec_source=spec("broken"), revisions=revisions)
    assert world.corehost("migrate").wait().returncode == 1
    with world.console() as address:
        yield address


def test_without_a_script_it_is_a_plain_page(browser: Browser, url: str) -> None:
    """With JavaScript off the page has its tables, and a link that has it loaded again and again."""
    with Visit(browser, url, java_script_enabled=False) as visit:
        rows = visit.page.locator("#branches tbody tr")
        assert [row.split()[0] for row in rows.all_inner_texts()] == [
            "accounts", "billing", "broken", "corehost", "search",
        ]  # fmt: skip
        visit.page.get_by_role("link", name="Reload every 5 s").click()
        assert visit.page.locator("meta[http-equiv=refresh]").get_attribute("content") == "5"


def test_it_says_what_failed_without_secrets(browser: Browser, url: str) -> None:
    """The error of the failing revision is shown with its branch, without the secrets that it quotes."""
    with Visit(browser, url) as visit:
        told = visit.page.locator("#trouble").inner_text()
        assert "broken: failed" in told
        assert "broken2" in told
        assert "no answer from ***" in told
        assert "hunter2" not in visit.page.content()


def test_it_is_used_with_the_keyboard_alone(browser: Browser, url: str) -> None:
    """Tab leads from the skip link through all that can be used, always visibly; Enter opens a branch."""
    with Visit(browser, url) as visit:
        page = visit.page
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        seen: list[str] = []
        while not seen or seen[-1] != "broken":
            page.keyboard.press("Tab")
            seen.append(page.evaluate("document.activeElement.innerText.split('\\n')[0]"))
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", seen
            assert len(seen) < 40, seen
        assert "History" in seen
        page.keyboard.press("Enter")
        page.wait_for_url("**branch=broken**")
        assert "broken1" in page.locator("#revisions table").inner_text()


def test_focus_survives_a_change(browser: Browser, url: str, world: World) -> None:
    """What has the focus keeps it when its part of the page is replaced."""
    with Visit(browser, url) as visit:
        visit.page.locator("#branches a", has_text="search").focus()
        visit.page.evaluate("document.querySelector('#branches table').dataset.old = 'yes'")
        with psycopg.connect(world.database, autocommit=True) as holder:
            holder.execute("SELECT pg_advisory_lock(%s)", (lock_key("search"),))
            wait_until(lambda: visit.page.locator("#branches table[data-old]").count() == 0)
        assert visit.page.evaluate("document.activeElement.innerText") == "search"


@pytest.mark.parametrize(("scheme", "size"), [("light", DESKTOP), ("dark", PHONE)])
def test_axe_finds_nothing(browser: Browser, url: str, scheme: str, size: dict[str, int]) -> None:
    """axe-core finds no violation of its rules, contrast included, in either scheme and at either size."""
    with Visit(browser, f"{url}?branch=accounts", color_scheme=scheme, viewport=size) as visit:
        visit.page.wait_for_selector("#live:not([hidden])")
        results = Axe().run(visit.page)
        assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_it_follows_the_colour_scheme(browser: Browser, url: str, scheme: str, dark: bool) -> None:
    """The ground is dark where the reader's system is."""
    with Visit(browser, url, color_scheme=scheme) as visit:
        ground = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
        red, green, blue = (int(part) for part in ground.removeprefix("rgb(").removesuffix(")").split(","))
        assert (red + green + blue < 3 * 128) is dark


def test_nothing_moves_where_that_is_not_wanted(browser: Browser, url: str) -> None:
    """With reduced motion the shape of what runs stands still."""
    with Visit(browser, url, reduced_motion="reduce") as visit:
        assert (
            visit.page.locator(".turning").first.evaluate("e => getComputedStyle(e).animationName") == "none"
        )


def test_it_fits_a_narrow_screen(browser: Browser, url: str) -> None:
    """On 320 pixels nothing but the picture has to be scrolled sideways."""
    with Visit(browser, url, viewport={"width": 320, "height": 600}) as visit:
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 320
        wide = "[...document.querySelectorAll('.wide')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
        assert visit.page.evaluate(wide) <= 1


def test_each_state_has_a_shape_and_a_word(browser: Browser, url: str) -> None:
    """No state is told by colour alone: branches in different states differ in shape and in word."""
    with Visit(browser, url) as visit:
        states = visit.page.locator("#branches .state")
        words = states.all_inner_texts()
        shapes = [state.locator("use").get_attribute("href") for state in states.all()]
        assert len(set(zip(words, shapes, strict=True))) == len(set(words)) == len(set(shapes)) == 2


def test_it_comes_back_after_the_server_was_away(browser: Browser, world: World, url: str) -> None:
    """When its server is gone the page says so; when there is one again it follows it."""
    with world.console() as first:
        port = first.rpartition(":")[2].rstrip("/")
        visit = Visit(browser, first)
    with visit:
        visit.page.wait_for_selector("#live.lost")
        again = world.corehost("console", "--port", port)
        visit.page.wait_for_selector("#live:not(.lost)")
        again.kill()


def test_a_browser_gives_the_token_as_a_password(browser: Browser, world: World, url: str) -> None:
    """With the token as the password of HTTP Basic the page and its events are served."""
    token = "a token of some length"
    with (
        world.console(COREHOST_HEALTH_TOKEN=token) as address,
        Visit(browser, address, http_credentials={"username": "me", "password": token}) as visit,
    ):
        visit.page.wait_for_selector("#live:not([hidden]):not(.lost)")
        assert visit.page.locator("#banner").inner_text()
