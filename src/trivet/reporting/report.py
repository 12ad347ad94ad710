"""`report`: runs, comparisons and experiments on one page."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import msgspec

from trivet import __version__
from trivet.errors import MachineError, RunError
from trivet.jobs.runs import MANIFEST
from trivet.jobs.writing import replace
from trivet.reporting import saved
from trivet.reporting.comparisons import drawn, read_comparison
from trivet.reporting.experiments import NAME as EXPERIMENTS
from trivet.reporting.experiments import read_steps
from trivet.reporting.figures import ComparisonFigures, Figures, RunFigures, Staircase
from trivet.reporting.page import MARK, page
from trivet.reporting.reading import read_run

MOST = 12
"""Runs and comparisons on one page."""


def report(*what: object, path: str | os.PathLike[str] = "report.html", with_text: bool = False) -> Path:
    """Draw runs and comparisons as one self-contained HTML page; returns where it is.

    `what`: runs and comparisons, or paths: of a run folder, of a comparison's folder, of an `experiments.jsonl`. A run
    that is under way is drawn as far as it has come. No text of prompts or of the model is on the page unless
    `with_text`. Raises `RunError` for what is no run, and when a file stands at `path` that is no such page.
    """
    place = Path(path)
    check(place)
    write(gather(what, with_text=with_text), place)
    return place


def gather(what: Sequence[object], *, with_text: bool) -> Figures:
    """The figures of all that is asked for; see `report`."""
    if not what:
        raise RunError("name a run to report on: the folder that `trivet run` has made, like runs/NAME")
    if len(what) > MOST:
        raise RunError(f"{len(what)} runs are too many for one page: name {MOST} at most")
    runs: list[RunFigures] = []
    comparisons: list[ComparisonFigures] = []
    files: dict[Path, Staircase] = {}
    for each in what:
        found = _open(each, with_text=with_text)
        if isinstance(found, RunFigures):
            runs.append(found)
        elif isinstance(found, ComparisonFigures):
            comparisons.append(found)
        else:
            files.setdefault(Path(str(each)).absolute(), found)
    for task in (*(run.task for run in runs), *(each.task for each in comparisons)):
        _beside(task, files)
    return Figures(
        version=__version__,
        written_at=time.time(),
        with_text=with_text,
        page=None,
        runs=tuple(runs),
        comparisons=tuple(comparisons),
        staircases=tuple(files.values()),
    )


def _open(what: object, *, with_text: bool) -> RunFigures | ComparisonFigures | Staircase:
    encoded = getattr(what, "saved", None)
    folder = getattr(what, "folder", what)
    if folder is None and callable(encoded):
        own = msgspec.json.decode(cast(Callable[[], bytes], encoded)(), type=saved.SavedComparison)
        return drawn(own, None, with_text=with_text)
    if folder is None:
        raise RunError(f"{what!r} was kept nowhere on disk, so there is nothing to draw: leave folder=None away")
    if not isinstance(folder, str | os.PathLike):
        raise RunError(f"{what!r:.80} is no run: give a run, a comparison, or the path of a run folder")
    path = Path(folder)
    if path.is_file():
        return _open_file(path, with_text=with_text)
    if (path / saved.NAME).is_file():
        return read_comparison(path, with_text=with_text)
    if (path / MANIFEST).is_file():
        return read_run(path, with_text=with_text)
    raise RunError(_no_run(path))


def _open_file(path: Path, *, with_text: bool) -> RunFigures | ComparisonFigures | Staircase:
    if path.name.endswith(EXPERIMENTS):
        return read_steps(path)
    if (path.parent / MANIFEST).is_file() or (path.parent / saved.NAME).is_file():
        return _open(path.parent, with_text=with_text)
    raise RunError(f"{path} is no run folder and no {EXPERIMENTS}: name the folder that `trivet run` has made")


def _no_run(path: Path) -> str:
    if not path.exists():
        return f"there is no {path}: name a run folder, like runs/NAME"
    inner = sorted(each.parent.name for name in (MANIFEST, saved.NAME) for each in path.glob(f"*/{name}"))
    if not inner:
        return f"{path} is no run folder: it has no {MANIFEST} and no {saved.NAME}"
    return f"{path} is the folder of several runs: name one, like {path / inner[-1]}"


def _beside(task: str, files: dict[Path, Staircase]) -> None:
    """The experiments that lie beside a task file, where there are any that can be read."""
    path = Path(task)
    for place in (path.with_name(f"{path.stem}.{EXPERIMENTS}"), path.with_name(EXPERIMENTS)) if path.name else ():
        if place.absolute() in files or not path.is_file() or not place.is_file():
            continue
        try:
            files[place.absolute()] = read_steps(place)
        except RunError:
            continue


def check(path: Path) -> None:
    """`RunError` when a file stands there that is no page of ours."""
    try:
        if path.is_dir():
            raise RunError(f"{path} is a folder: name a file for the page, like -o report.html")
        with path.open("rb") as file:
            begins = file.read(len(MARK))
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunError(f"{path} can't be read: {error.strerror or error}") from None
    if begins and begins != MARK.encode():
        raise RunError(f"{path} is no page of trivet's and is not overwritten: name another file")


def write(figures: Figures, path: Path) -> None:
    """Put the page in place, as a whole."""
    content = page(figures).encode()
    try:
        replace(path, content, mode=0o644)
    except MachineError:
        raise RunError(f"{path} can't be written: choose another place for the page (-o FILE)") from None
