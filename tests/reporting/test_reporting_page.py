"""The page and the command that writes it: what it draws, what it refuses, and what it never shows."""

from __future__ import annotations

import base64
import csv
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

import trivet as library
from trivet import sim
from trivet.errors import RunError
from trivet.jobs.recording import Told
from trivet.records import Record
from trivet.reporting.report import gather
from trivet.reporting.table import COLUMNS, write_csv
from trivet.types import RateLimits, Reply

EXAMPLES = Path(__file__).parents[2] / "examples" / "triage"
TASK, TICKETS = EXAMPLES / "triage.toml", EXAMPLES / "tickets.jsonl"


class Checker(HTMLParser):
    """Holds a page to its grammar: every element closed in order, no id twice, no attribute that does something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "iframe", "object", "img", "form"), tag
        names = [name for name, _ in attrs]
        assert not [name for name in names if name.startswith("on") or name in ("style", "src", "xlink:href")], attrs
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def checked(page: Path) -> str:
    text = page.read_text("utf-8")
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert len(checker.ids) == len(set(checker.ids))
    assert len(text.encode()) < 2_000_000
    return text


def test_the_policy_allows_the_stylesheet_and_nothing_else(make: Any, run_folder: Any, tmp_path: Path) -> None:
    """By the hash of exactly what stands in the page."""
    text = checked(library.report(run_folder([make.sent(0)]), path=tmp_path / "r.html"))
    style = re.search(r"<style>(.*)</style>", text, re.DOTALL)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert style is not None
    assert policy is not None
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    assert f"style-src &#x27;sha256-{digest}&#x27;" in policy.group(1)
    assert policy.group(1).startswith("default-src &#x27;none&#x27;;")
    assert "http://" not in text
    assert "https://" not in text


def test_no_text_is_on_the_page_unless_asked_for(make: Any, run_folder: Any, tmp_path: Path) -> None:
    """Messages, outputs that are no labels, kept columns and ids with spaces may hold a prompt or an answer."""
    records = [
        replace(make.sent(0, "the secret answer"), id="the secret id", kept={"ticket": "the secret column"}),
        make.failure(1, message="the secret message", text="the secret text"),
    ]
    folder = run_folder(records, labels=False)
    page, table = tmp_path / "r.html", tmp_path / "t.csv"
    for with_text in (False, True):
        library.report(folder, path=page, with_text=with_text)
        assert ("secret answer" in checked(page)) == with_text
        assert ("secret message" in checked(page)) == with_text
        assert ("secret" in checked(page)) == with_text
        write_csv([folder], table, with_text=with_text)
        assert ("secret" in table.read_text()) == with_text
        assert (b"secret" in msgspec.json.encode(gather([folder], with_text=with_text))) == with_text


def test_labels_are_shown_where_the_contract_is_labels(make: Any, run_folder: Any, tmp_path: Path) -> None:
    """And nowhere else: a run that does not say so may have been told anything."""
    records = [make.sent(n) for n in range(3)]
    assert "billing" in checked(library.report(run_folder(records, "a"), path=tmp_path / "r.html"))
    assert "billing" not in checked(library.report(run_folder(records, "b", labels=False), path=tmp_path / "r.html"))


def test_a_run_that_is_still_written_says_so(make: Any, run_folder: Any, tmp_path: Path) -> None:
    """Its figures are those of the rows so far."""
    text = checked(library.report(run_folder([make.sent(0)], finished=False), path=tmp_path / "r.html"))
    assert "unfinished" in text
    assert "of the 1 rows so far" in text


def test_several_runs_stand_side_by_side(make: Any, run_folder: Any, tmp_path: Path) -> None:
    """One of them twice does not confuse the page."""
    one = run_folder([make.sent(n) for n in range(30)], "one")
    two = run_folder([make.sent(n, latency=3.0) for n in range(9)], "two")
    text = checked(library.report(one, str(two), one, path=tmp_path / "r.html"))
    assert "Side by side" in text
    assert text.count("<h2") == 4


def test_what_is_no_run_is_refused_in_one_sentence(make: Any, run_folder: Any, tmp_path: Path) -> None:
    """A missing folder, an empty one, the folder of all runs, a file, an object, nothing, too many."""
    folder = run_folder([make.sent(0)])
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "run.json").write_text("{")
    page = tmp_path / "r.html"
    for what, said in (
        ((tmp_path / "none",), "there is no"),
        ((tmp_path,), "name one, like"),
        ((folder.parent / "one" / "run.json",), None),
        ((TASK,), "no run folder"),
        ((7,), "is no run"),
        ((), "name a run"),
        ((bad,), "can't be read"),
        ((folder,) * 13, "too many"),
    ):
        if said is None:
            library.report(*what, path=page)
            continue
        with pytest.raises(RunError, match=said):
            library.report(*what, path=page)


def test_only_a_page_of_ours_is_overwritten(make: Any, run_folder: Any, tmp_path: Path) -> None:
    """A mistyped -o must not cost a file."""
    folder = run_folder([make.sent(0)])
    page = library.report(folder, path=tmp_path / "r.html")
    library.report(folder, path=page)
    for path in (folder / "ledger.jsonl", tmp_path):
        before = path.read_bytes() if path.is_file() else b""
        with pytest.raises(RunError):
            library.report(folder, path=path)
        assert before == (path.read_bytes() if path.is_file() else b"")
    with pytest.raises(RunError, match="can't be written"):
        library.report(folder, path=tmp_path / "no" / "r.html")


def test_limits_that_replies_name_are_on_record_once(make: Any) -> None:
    """Each time that they change, so that the time line can show them."""
    told = Told()
    replies = [
        Reply(text="", status="completed", model="m", limits=RateLimits(limit_requests=n, remaining_requests=k))
        for k, n in enumerate((500, 500, None, 500, 800))
    ]
    assert [told.news(reply) for reply in replies] == [
        RateLimits(limit_requests=500), None, None, None, RateLimits(limit_requests=800),
    ]  # fmt: skip
    assert told.news(None) is None


def test_the_command_writes_page_table_and_figures(trivet: Any, simulator: sim.Simulator, tmp_path: Path) -> None:
    """`trivet run`, then `trivet report`: the figures are the summary's, the table has a line for each call."""
    ran = trivet("run", TASK, TICKETS, "--base-url", simulator.url, "--json")
    folder = Path(ran.document["results"]).parent
    ended = trivet("report", folder, "-o", "page.html", "--csv", "calls.csv", "--json")
    assert ended.code == 0, ended.err
    shown = ended.document["runs"][0]
    assert shown["summary"] == ran.document
    assert sum(kind["usd"] for kind in shown["costs"]["kinds"]) == pytest.approx(ran.document["cost_usd"])
    assert shown["labels"] == ran.document["counts"]
    assert ended.document["page"] == "page.html"
    checked(tmp_path / "page.html")
    with (tmp_path / "calls.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 20
    assert tuple(lines[0]) == COLUMNS
    assert (
        sum(int(line["input_tokens"]) for line in lines if line["source"] == "provider")
        == shown["summary"]["tokens"]["input"]
    )
    again = trivet("report", folder, "--csv", "page.html")
    assert again.code == 2
    assert "no table of calls" in again.err
    assert trivet("report", "nowhere").code == 2
    people = trivet("report", folder)
    assert people.out.startswith("report.html: ")


def test_a_comparison_is_saved_and_drawn_again(trivet: Any, simulator: sim.Simulator, tmp_path: Path) -> None:
    """Verdict, figures and pairs are those that were printed; a stopped one says that it has no end."""
    arguments = ("compare", TASK, TICKETS, "--variants", "verbose,concise", "--truth", "category", "--json")
    printed = trivet(*arguments, "--base-url", simulator.url).document
    folder = tmp_path / printed["folder"]
    ended = trivet("report", folder, "--json")
    assert ended.code == 0, ended.err
    found = ended.document["comparisons"][0]
    concise = next(variant for variant in found["variants"] if variant["name"] == "concise")
    assert concise["figures"] == printed["variants"]["concise"]
    assert found["figures"] == {name: value for name, value in printed.items() if name != "variants"}
    assert {pair["figure"]: pair["rows"] for pair in concise["paired"]} == {"latency": 20, "cost": 20}
    cost = next(pair for pair in concise["paired"] if pair["figure"] == "cost")
    assert cost["ratio"] == pytest.approx(printed["variants"]["concise"]["cost_ratio"])
    assert sum(count for _, _, count in cost["bars"]) == 20
    text = checked(tmp_path / "report.html")
    assert "Is it worse?" in text
    assert "Cost and quality" in text
    saved = msgspec.json.decode((folder / "comparison.json").read_bytes())
    (folder / "comparison.json").write_bytes(msgspec.json.encode(saved | {"figures": None, "finished_at": None}))
    assert trivet("report", folder).code == 0
    assert "has no end" in checked(tmp_path / "report.html")


def test_a_comparison_kept_nowhere_is_drawn_from_its_figures(simulator: sim.Simulator, tmp_path: Path) -> None:
    """Without the records there are no pairs, and nothing else is missing."""
    tasks = {"long": library.Task.load(TASK, "verbose"), "<b>short": library.Task.load(TASK)}
    with library.Client(base_url=simulator.url, simulated=simulator.identity, cache=None) as client:
        found = library.compare(tasks, TICKETS, truth="category", client=client, folder=None)
        run = client.map(tasks["long"], TICKETS, folder=None)
        assert run.summary.rows == 20
        with pytest.raises(RunError, match="kept nowhere"):
            library.report(run, path=tmp_path / "r.html")
    text = checked(library.report(found, path=tmp_path / "r.html"))
    assert "Is it worse?" in text
    assert "Row against row" not in text
    for shown in (found._repr_html_(), run._repr_html_(), run.summary._repr_html_()):
        checker = Checker()
        checker.feed(shown)
        assert checker.open == []
        assert len(shown) < 20_000
        assert "SIMULATED" in shown.upper()
    assert "&lt;b&gt;short" in found._repr_html_()


def test_a_variants_folder_cannot_lead_out_of_the_comparison(make: Any, run_folder: Any, tmp_path: Path) -> None:
    """A saved comparison may come from elsewhere, and names only what lies in it."""
    run_folder([make.sent(0, "the secret answer")], "elsewhere")
    folder = tmp_path / "comparison"
    folder.mkdir()
    saved = {"folders": {"a": "../elsewhere", "b": str(tmp_path / "elsewhere"), "c": ".."}, "figures": {"variants": 7}}
    nonsense = {"rows": "x", "margin": [], "baseline": 7, "variants": {"a": {"quality": "b", "cost_ratio_interval": 3}}}
    for figures in ({"variants": 7}, {"variants": {"a": 7}}, nonsense):
        (folder / "comparison.json").write_bytes(msgspec.json.encode(saved | {"figures": figures}))
        found = gather([folder], with_text=True)
        assert [variant.run for variant in found.comparisons[0].variants] == [None, None, None]
        checked(library.report(folder, path=tmp_path / "r.html"))


def test_the_staircase_is_drawn_from_the_experiments(make: Any, run_folder: Any, tmp_path: Path) -> None:
    """From a file that is named, or that lies beside the task; a broken line is told of."""
    lines = [
        {"baseline": {"name": "long", "quality": 0.9, "cost_per_1000": 0.2}, "change": "prompt=short", "kept": True,
         "effect": {"quality": 0.91, "cost_per_1000": 0.1}, "verdict": "not_worse"},
        {"change": "model=<b>", "quality": 0.5, "cost_per_1000": 0.01, "verdict": "worse", "at": 1_795_000_000},
    ]  # fmt: skip
    steps = tmp_path / "experiments.jsonl"
    content = b"\n".join(map(msgspec.json.encode, lines))
    steps.write_bytes(
        content
        + b'\n{"change": {"effort": "none"}, "quality": "x", "cost_per_1000": 1e300, "verdict": 7}\n[]\nbroken\n'
    )
    figures = gather([steps], with_text=False)
    found = figures.staircases[0]
    assert [(step.change, step.quality, step.kept) for step in found.steps] == [
        ("long", 0.9, True), ("prompt=short", 0.91, True),
        ("model=<b>", 0.5, False), ('{"effort":"none"}', None, False),
    ]  # fmt: skip
    assert found.damaged == 2
    task = tmp_path / "t.toml"
    task.write_text("")
    folder = run_folder([make.sent(0)], task=str(task))
    text = checked(library.report(folder, path=tmp_path / "r.html"))
    assert "Step by step" in text
    assert "model=&lt;b&gt;" in text
    steps.write_bytes(b"")
    with pytest.raises(RunError, match="holds no step"):
        gather([steps], with_text=False)


def test_records_of_older_versions_are_drawn(run_folder: Any, tmp_path: Path) -> None:
    """Fields that came later, attempts' beginnings and limits among them, may be missing, and so may all others."""
    folder = run_folder([Record(n=0), Record(n=1, output=None, source="provider", at=1_795_000_001.0)])
    checked(library.report(folder, path=tmp_path / "r.html"))


def test_a_run_is_a_data_frame_for_notebooks(simulator: sim.Simulator, tmp_path: Path) -> None:
    """A row for each call, numbers as numbers."""
    with library.Client(base_url=simulator.url, simulated=simulator.identity) as client:
        run = client.map(library.Task.load(TASK), TICKETS, folder=tmp_path)
        summary = run.summary
        frame = run.frame()
    assert tuple(frame.columns) == COLUMNS
    assert len(frame) == 20
    assert frame["cost_usd"].sum() == pytest.approx(float(summary.cost_usd or 0))
    assert frame["output"].value_counts().to_dict() == summary.counts
