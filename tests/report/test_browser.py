"""Reports in a real browser: nothing is fetched, nothing runs, everything can be read, light and dark and on paper."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from stackbook.report import write, write_index
from tests.report import samples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

Scheme = Literal["light", "dark"]
Make = Callable[[Path], Path]
ALL: list[Make] = [samples.planned, samples.applied, samples.failed, samples.hostile, samples.inventory]
CONTRAST = """() => {
  const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !element.checkVisibility() || element.closest("svg")) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push([ratio.toFixed(2), element.className, walk.currentNode.data.trim().slice(0, 40)]);
  }
  return found;
}"""


@contextmanager
def opened(
    browser: Browser, path: Path, scheme: Scheme = "light", width: int = 1280
) -> Iterator[tuple[Page, list[str], list[str]]]:
    """The page at `path`, the addresses that it asked for, and what the console said."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.goto(path.as_uri())
    try:
        yield page, asked, said
    finally:
        context.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The report of each sample, by the sample's name, and the index over them."""
    runs = tmp_path_factory.mktemp("runs")
    found = {make.__name__: write(make(runs)) for make in ALL}
    return {**found, "index": write_index(runs)}


NAMES = [*(make.__name__ for make in ALL), "index"]


@pytest.mark.parametrize("name", NAMES)
def test_a_report_asks_for_nothing_and_runs_nothing(browser: Browser, reports: dict[str, Path], name: str) -> None:
    """The file itself is the only request; no script of a hostile name runs, and no policy has to stop one."""
    with opened(browser, reports[name]) as (page, asked, said):
        assert asked == [reports[name].as_uri()]
        assert said == []
        assert page.title() not in ("owned", "1")
        assert page.locator("script, iframe, object, embed, link, form, base, foreignObject, animate").count() == 0
        policy = page.locator('meta[http-equiv="Content-Security-Policy"]').get_attribute("content") or ""
        assert policy.startswith("default-src 'none'")
        attributes: list[str] = page.evaluate("() => [...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames())")
        assert not [name for name in attributes if name.startswith("on")]
        addresses: list[str] = page.evaluate(
            "() => [...document.querySelectorAll('a, img, use')].map(e => e.getAttribute('href') || e.src || '')"
        )
        assert not [address for address in addresses if address.startswith(("javascript:", "http://example.org", "//"))]


def test_hostile_names_can_be_read(browser: Browser, reports: dict[str, Path]) -> None:
    """A name that is markup stands there as it is: site, parameter, plan, proof, error and printed line."""
    with opened(browser, reports["hostile"]) as (page, _, _said):
        assert page.locator("body").inner_text().count(samples.HOSTILE) >= 12


def test_an_output_can_not_pose_as_the_header(browser: Browser, reports: dict[str, Path]) -> None:
    """A class of the page's own in an output is dropped: there is one card."""
    with opened(browser, reports["hostile"]) as (page, _, _said):
        assert page.locator(".rp-card").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_all_text_has_contrast(browser: Browser, reports: dict[str, Path], name: str, scheme: Scheme) -> None:
    """Every text has at least 4.5 : 1 against its ground, light and dark, code and tracebacks unfolded."""
    with opened(browser, reports[name], scheme) as (page, _, _said):
        page.evaluate("() => document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.evaluate(CONTRAST) == []


def test_dark_is_dark_and_light_is_light(browser: Browser, reports: dict[str, Path]) -> None:
    """The page follows the reader's preference; figures draw their black in the text's colour."""
    grounds: dict[str, Any] = {}
    for scheme in ("light", "dark"):
        with opened(browser, reports["inventory"], scheme) as (page, _, _said):
            grounds[scheme] = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
            ink = page.evaluate("() => getComputedStyle(document.body).color")
            assert page.evaluate("() => getComputedStyle(document.querySelector('.rp-figure svg text')).fill") == ink
    assert grounds["light"] != grounds["dark"]


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("name", ["applied", "failed", "inventory"])
def test_no_page_is_wider_than_its_window(browser: Browser, reports: dict[str, Path], name: str, width: int) -> None:
    """Wide tables scroll inside the page, which itself never does."""
    with opened(browser, reports[name], width=width) as (page, _, _said):
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_numbers_stand_right(browser: Browser, reports: dict[str, Path]) -> None:
    """In surveys, DataFrames of ours and DataFrames of pandas, numbers are right-aligned and words left."""
    with opened(browser, reports["inventory"]) as (page, _, _said):
        for table in ("table.sb-table", "table.dataframe"):
            aligned = "e => getComputedStyle(e).textAlign"
            assert page.locator(f"{table} td", has_text="37").first.evaluate(aligned) == "right"
            assert page.locator(f"{table} td", has_text="lvm").first.evaluate(aligned) == "left"


def test_contents_lead_to_headings(browser: Browser, reports: dict[str, Path]) -> None:
    """Every entry of the contents leads to an element of the page, and says what was not run."""
    with opened(browser, reports["planned"]) as (page, _, _said):
        targets: list[str] = page.evaluate(
            "() => [...document.querySelectorAll('.rp-contents a')].map(a => a.getAttribute('href'))"
        )
        assert len(targets) >= 10
        assert all(page.locator(target).count() == 1 for target in targets)
        contents = page.locator(".rp-contents").inner_text()
        assert "Apply awaits approval" in contents and "Verify not run" in contents


def test_it_prints_on_a4(browser: Browser, reports: dict[str, Path], tmp_path: Path) -> None:
    """Printed, a report has the page size A4, no contents and no folded code; the card and the plan are there."""
    with opened(browser, reports["failed"], "dark") as (page, _, _said):
        page.emulate_media(media="print")
        assert not page.locator(".rp-contents").is_visible() and not page.locator(".rp-code").first.is_visible()
        assert page.locator(".rp-card").is_visible() and page.locator(".sb-plan").is_visible()
        assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        printed = page.pdf(prefer_css_page_size=True)
        assert (printed.startswith(b"%PDF") and b"/MediaBox [0 0 594.95996 841.91998]" in printed) or b"594." in printed
