"""Results of shards are put together in the order of the rows, or it is said why they can't be."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trivet import sim
from trivet.errors import RunError
from trivet.jobs.join import join

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "triage"
TASK = EXAMPLES / "triage.toml"


@pytest.fixture(scope="module")
def built(simulator: sim.Simulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run folders of the three shards of twenty tickets."""
    folder = tmp_path_factory.mktemp("shards")
    shutil.copy(EXAMPLES / "tickets.jsonl", folder / "tickets.jsonl")
    for k in (1, 2, 3):
        command = [sys.executable, "-m", "trivet", "run", str(TASK), "tickets.jsonl", "--base-url", simulator.url]
        command += ["--cache", "off", "--shard", f"{k}/3", "--runs", f"shard-{k}"]
        subprocess.run(command, cwd=folder, env=os.environ | {"OPENAI_API_KEY": "any"}, check=True, capture_output=True)
    return folder


@pytest.fixture
def shards(built: Path, tmp_path: Path) -> list[Path]:
    """The three run folders, and their data, in the test's own folder."""
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    return [next(tmp_path.glob(f"shard-{k}/*")) for k in (1, 2, 3)]


def run(trivet, simulator: sim.Simulator, folder: Path, *more: str) -> Path:
    """Run the triage example; its run folder."""
    ended = trivet("run", TASK, "tickets.jsonl", "--base-url", simulator.url, "--json", "--cache", "off", *more)
    assert ended.code == 0, ended.err
    return folder / "runs" / ended.document["run"]


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_three_shards_are_the_whole_in_order(trivet, simulator, shards: list[Path], tmp_path: Path) -> None:
    """Joined in any order, the file is the one that a single run writes, and the figures are the sums."""
    whole = run(trivet, simulator, tmp_path)
    ended = trivet("join", shards[2], shards[0], shards[1], "-o", "joined.jsonl", "--json")
    assert ended.code == 0, ended.err
    assert ended.err == ""
    assert lines(tmp_path / "joined.jsonl") == lines(whole / "results.jsonl")
    document = ended.document
    assert (document["rows"], document["ok"], document["missing_shards"], document["unfinished"]) == (20, 20, [], [])
    costs = [json.loads((folder / "summary.json").read_text())["cost_usd"] for folder in shards]
    assert document["cost_usd"] == pytest.approx(sum(costs))


def test_a_missing_shard_is_named_and_the_rest_is_written(trivet, shards: list[Path], tmp_path: Path) -> None:
    """Exit 1, the shard by its number, and the rows that are there."""
    ended = trivet("join", shards[0], shards[2], "-o", "joined.csv")
    assert ended.code == 1
    assert "shard 2/3" in ended.err
    assert len((tmp_path / "joined.csv").read_text().splitlines()) == 1 + 7 + 6


def test_a_run_that_is_not_finished_is_named(trivet, shards: list[Path], tmp_path: Path) -> None:
    """An interrupted shard has rows to come."""
    manifest = shards[1] / "run.json"
    found = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(found | {"finished_at": None}))
    ended = trivet("join", *shards, "-o", "joined.jsonl")
    assert ended.code == 1
    assert f"{shards[1]} is not finished" in ended.err


def test_rows_in_common_are_refused(trivet, simulator, shards: list[Path], tmp_path: Path) -> None:
    """The same shard twice, and shards of two ways of splitting."""
    with pytest.raises(RunError, match="both of shard 1/3"):
        join([shards[0], shards[1], shards[0]], tmp_path / "out.jsonl")
    other = run(trivet, simulator, tmp_path, "--shard", "2/2")
    with pytest.raises(RunError, match=r"one of 3 shards and .* one of 2"):
        join([shards[0], other], tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize(
    ("more", "what"),
    [
        (("--param", "max_output_tokens=99"), "different tasks"),
        (("--variant", "verbose"), "different tasks"),
        (("--first", "10"), "different selections"),
        (("--keep", "ticket"), "different selections"),
    ],
)
def test_parts_of_different_work_are_refused(
    trivet, simulator, shards: list[Path], tmp_path: Path, more: tuple[str, ...], what: str
) -> None:
    """What was asked, or of which rows, must be the same in all parts."""
    other = run(trivet, simulator, tmp_path, "--shard", "2/3", *more)
    ended = trivet("join", shards[0], other, "-o", "joined.jsonl")
    assert ended.code == 2
    assert what in ended.err


def test_other_data_are_refused(trivet, simulator, shards: list[Path], tmp_path: Path) -> None:
    """The content counts, not the name of the file."""
    with (tmp_path / "tickets.jsonl").open("a") as file:
        file.write('{"ticket": "one more"}\n')
    other = run(trivet, simulator, tmp_path, "--shard", "2/3", "--fresh")
    with pytest.raises(RunError, match="different data"):
        join([shards[0], other], tmp_path / "out.jsonl")


def test_an_existing_file_is_replaced_only_when_told(trivet, shards: list[Path], tmp_path: Path) -> None:
    """What stands there is somebody's; and a run's own files are never written over."""
    out = tmp_path / "joined.jsonl"
    out.write_text("mine")
    assert trivet("join", *shards, "-o", out).code == 2
    assert out.read_text() == "mine"
    assert trivet("join", *shards, "-o", out, "--fresh").code == 0
    assert len(lines(out)) == 20
    assert trivet("join", *shards, "-o", shards[0] / "ledger.jsonl", "--fresh").code == 2
    assert trivet("join", *shards).code == 2
    assert trivet("join", tmp_path, "-o", "x.jsonl").code == 2
