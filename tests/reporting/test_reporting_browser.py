"""The page in a real browser: its numbers, its console, its behaviour on a phone and in the dark."""

from __future__ import annotations

import struct
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

import trivet as library
from trivet import sim
from trivet.types import Attempt

EXAMPLES = Path(__file__).parents[2] / "examples" / "triage"
HOSTILE = (
    "<script>alert(1)</script></style><img src=x onerror=alert(2)> javascript:alert(3) \u202egnp.exe \0 " + "w" * 10**6
)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of a run and a comparison, both made by the simulator."""
    root = tmp_path_factory.mktemp("drawn")
    task = library.Task.load(EXAMPLES / "triage.toml")
    long = library.Task.load(EXAMPLES / "triage.toml", "verbose")
    tickets = EXAMPLES / "tickets.jsonl"
    with (
        sim.start(sim.Scenario(time_scale=0.0)) as server,
        library.Client(base_url=server.url, simulated=server.identity) as client,
    ):
        run = client.map(task, tickets, folder=root / "runs")
        assert run.summary.rows == 20
        found = library.compare(
            {"verbose": long, "concise": task}, tickets, truth="category", client=client, folder=root / "runs"
        )
    assert run.folder is not None
    (root / "summary.json").write_bytes((run.folder / "summary.json").read_bytes())
    return library.report(run, found, path=root / "report.html")


def flat(figures: dict[str, Any], before: str = "") -> dict[str, Any]:
    """`{"calls": {"sent": 3}}` as `{"calls.sent": 3}`."""
    found: dict[str, Any] = {}
    for name, value in figures.items():
        found |= flat(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}": value}
    return found


def test_the_numbers_on_the_page_are_those_of_the_summary(browser: Any, drawn: Path) -> None:
    """Each figure that has a name in summary.json has its value, to the last digit."""
    browser.show(drawn)
    script = "[...document.querySelectorAll('#run-0 ~ * data, #run-0 ~ data')].map(e => [e.dataset.figure, e.value])"
    shown = dict(browser.evaluate(script))
    summary = flat(msgspec.json.decode((drawn.parent / "summary.json").read_bytes()))
    same = {name: value for name, value in summary.items() if name in shown}
    assert {"rows", "ok", "failed", "cost_usd", "wall_s", "calls.sent", "tokens.input", "counts.billing"} <= same.keys()
    assert {name: Decimal(shown[name]) for name in same} == {name: Decimal(str(value)) for name, value in same.items()}
    assert "20" in browser.evaluate("document.querySelector('.tiles .value').textContent")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1100])
def test_the_page_is_quiet_and_fits(browser: Any, drawn: Path, width: int, dark: bool) -> None:
    """No complaint of the console, no request but for the file itself, nothing wider than the screen."""
    browser.show(drawn, width=width, dark=dark)
    assert browser.complaints() == []
    assert [url for url in browser.requests() if not url.startswith("data:")] == [drawn.as_uri()]
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    picture = browser.screenshot()
    assert struct.unpack(">I", picture[16:20])[0] >= width
    assert len(picture) > 20_000  # an empty page is far smaller
    ground = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, ground.removeprefix("rgb(").removesuffix(")").split(",")))
    assert (brightness < 200) == dark


def test_text_has_enough_contrast(browser: Any, drawn: Path) -> None:
    """4.5 to 1 at least, as WCAG's level AA asks of text, in the light and in the dark."""
    script = """(() => {
        const light = c => { const [r, g, b] = c.match(/[0-9.]+/g).map(Number).map(v => v / 255)
            .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
            return 0.2126 * r + 0.7152 * g + 0.0722 * b }
        const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
            if (!c.startsWith('rgba(0, 0, 0, 0')) return c } return 'rgb(255, 255, 255)' }
        const poor = []
        for (const e of document.querySelectorAll('body *')) {
            const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())
            if (!own || e.closest('.unseen, .skip, title, desc')) continue
            const style = getComputedStyle(e), color = e.closest('svg') ? style.fill : style.color
            const [a, b] = [light(color), light(ground(e))].sort((x, y) => y - x)
            if ((a + 0.05) / (b + 0.05) < 4.5) poor.push(e.tagName + ' ' + e.className + ' ' + color + ' ' + ground(e))
        } return poor })()"""
    for dark in (False, True):
        browser.show(drawn, dark=dark)
        assert browser.evaluate(script) == []


def test_the_page_can_be_used_without_eyes_or_mouse(browser: Any, drawn: Path) -> None:
    """Landmarks, one first heading, names for tables and charts, scrolling tables within reach of the keyboard."""
    browser.show(drawn)
    count = "document.querySelectorAll({!r}).length"
    for landmark in ("header", "main", "footer", "nav[aria-label]", "h1", "html[lang=en]"):
        assert browser.evaluate(count.format(landmark)) == 1, landmark
    assert browser.evaluate(count.format("table")) == browser.evaluate(count.format("table > caption")) > 5
    assert browser.evaluate(count.format(".scroll")) == browser.evaluate(count.format(".scroll[tabindex='0'][role]"))
    assert browser.evaluate(count.format("th:not([scope])")) == 0
    assert browser.evaluate(count.format("svg.chart")) == browser.evaluate(count.format("svg[role=img] > desc")) > 5
    unnamed = "[...document.querySelectorAll('[aria-labelledby]')].filter(e => e.getAttribute('aria-labelledby')"
    assert browser.evaluate(f"{unnamed}.split(' ').some(id => !document.getElementById(id))).length") == 0
    ids = "[...document.querySelectorAll('[id]')].map(e => e.id)"
    assert browser.evaluate(f"{ids}.length") == browser.evaluate(f"new Set({ids}).size")


def test_hostile_text_does_nothing(browser: Any, run_folder: Any, make: Any, tmp_path: Path) -> None:
    """What a model, a file or a server wrote stands there as text: no element, no request, no script comes of it."""
    attempt = Attempt(latency=0.1, status=500, error=HOSTILE[:2000], cost=Decimal(0), began=0.0)
    records = [
        make.failure(0, code=HOSTILE[:200], message="told " + HOSTILE, text=HOSTILE),
        make.sent(1, output="told " + HOSTILE, latency=8.0),
        make.sent(2, attempts=(attempt, *make.sent(2).attempts)),
        msgspec.structs.replace(make.sent(3), id="told " + HOSTILE, latency=9.0),
    ]
    folder = run_folder(records, name="x' onload=alert(4) <b>", model=HOSTILE[:500], task=HOSTILE[:500])
    for with_text in (False, True):
        page = library.report(folder, path=tmp_path / "hostile.html", with_text=with_text)
        assert page.stat().st_size < 2_000_000
        browser.show(page)
        assert browser.complaints() == []
        assert [url for url in browser.requests() if not url.startswith("data:")] == [page.as_uri()]
        assert browser.evaluate("document.querySelectorAll('script, img, iframe, b, [onload], [onerror]').length") == 0
        links = browser.evaluate("[...document.querySelectorAll('[href]')].map(e => e.getAttribute('href'))")
        assert all(link.startswith(("#", "data:,")) for link in links)
        text = browser.evaluate("document.body.textContent")
        assert "\u202e" not in text
        assert "\0" not in text
        assert ("told <script>" in text) == with_text
        assert browser.evaluate("document.documentElement.scrollWidth") <= 1100
