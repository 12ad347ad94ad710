"""Which rows are taken, and under which names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import DataError, SettingsError
from trivet.jobs.rows import Row, Source
from trivet.jobs.select import Selection, parse_shard, select
from trivet.jobs.sources import open_source


def numbers(source: Source, **options: Any) -> list[int]:
    return [row.n for row in select(source, Selection(**options))]


def listed(count: int) -> Source:
    return open_source([{"a": n} for n in range(count)])


def streamed(count: int) -> Source:
    return open_source({"a": n} for n in range(count))


def test_first_takes_the_first_rows_and_reads_no_further() -> None:
    def endless() -> Iterator[dict[str, int]]:
        for n in range(3):
            yield {"a": n}
        raise AssertionError("read too far")

    assert numbers(open_source(endless()), first=3) == [0, 1, 2]


@given(st.integers(0, 60), st.integers(1, 70), st.integers())
def test_a_sample_has_its_size_in_order_and_depends_on_the_seed_alone(rows: int, size: int, seed: int) -> None:
    for make in (listed, streamed):
        chosen = numbers(make(rows), sample=size, seed=seed)
        assert len(chosen) == min(rows, size)
        assert chosen == sorted(set(chosen))
        assert set(chosen) <= set(range(rows))
        assert chosen == numbers(make(rows), sample=size, seed=seed)


@pytest.mark.parametrize("make", [listed, streamed])
def test_a_sample_takes_every_row_equally_often(make: Any) -> None:
    times = [0] * 20
    for seed in range(2000):
        for n in numbers(make(20), sample=5, seed=seed):
            times[n] += 1
    # 500 expected, standard deviation 19: six of them
    assert all(385 < count < 615 for count in times)


@given(st.integers(0, 50), st.integers(1, 9), st.integers(1, 60), st.none() | st.integers(1, 60))
def test_shards_share_out_exactly_what_would_be_taken_without(
    rows: int, of: int, first: int, sample: int | None
) -> None:
    options = {"first": first, "sample": sample, "seed": 7}
    parts = [numbers(listed(rows), shard=(k, of), **options) for k in range(1, of + 1)]
    assert sorted(n for part in parts for n in part) == numbers(listed(rows), **options)


@given(st.integers(0, 50), st.none() | st.integers(1, 60), st.integers(1, 7))
def test_the_count_of_a_shard_is_exact(rows: int, first: int | None, of: int) -> None:
    for k in range(1, of + 1):
        selection = Selection(first=first, shard=(k, of))
        assert select(listed(rows), selection).count() == len(numbers(listed(rows), first=first, shard=(k, of)))


def test_a_sample_of_a_file_counts_its_bad_rows_and_skips_its_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"a":0}\n\nbad\n{"a":2}\n')
    assert numbers(open_source(path), sample=9) == [0, 1, 2]
    assert select(open_source(path), Selection(sample=2)).count() == 2


def test_without_options_the_source_is_itself() -> None:
    source = listed(3)
    assert select(source, Selection()) is source


def test_map_gives_columns_other_names_and_keeps_theirs() -> None:
    source = open_source([{"body": "x", "ticket": "old"}, {"other": 1}])
    rows = list(select(source, Selection(map={"ticket": "body"})))
    assert rows[0].data == {"body": "x", "ticket": "x"}
    assert rows[1].data is None
    assert rows[1].error == "row 1 lacks the column 'body' (--map ticket=body)"


@pytest.mark.parametrize("value", [None, "", True, 1.5, [1], {}])
def test_a_row_without_a_usable_id_is_bad(value: Any) -> None:
    rows = list(select(open_source([{"key": "k"}, {"key": 7}, {"key": value}, {}]), Selection(id="key")))
    assert [row.error is None for row in rows] == [True, True, False, False]
    assert "row 3 has no 'key' (--id key)" in (rows[3].error or "")


def test_bad_rows_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"a":0}\nbad\n')
    bad: Row = list(select(open_source(path), Selection(id="a", map={"b": "a"})))[1]
    assert bad.error is not None
    assert bad.error.startswith(f"{path}:2 is not valid JSON")


@pytest.mark.parametrize("option", [{"id": "texxt"}, {"map": {"ticket": "texxt"}}, {"keep": ("texxt",)}])
def test_a_column_that_is_nowhere_is_refused_with_the_nearest(tmp_path: Path, option: dict[str, Any]) -> None:
    (tmp_path / "t.csv").write_text("text,label\nx,y\n")
    (tmp_path / "t.jsonl").write_text('{"text":"x"}\n{"label":"y"}\n')
    for name in ("t.csv", "t.jsonl"):
        with pytest.raises(DataError, match=r"no column 'texxt' \(named by --\w+\); did you mean 'text'\?"):
            select(open_source(tmp_path / name), Selection(**option))


def test_nothing_is_read_ahead_of_a_source_that_may_block() -> None:
    def untouched() -> Iterator[dict[str, int]]:
        raise AssertionError("read too early")
        yield {}

    select(open_source(untouched()), Selection(id="a", map={"b": "a"}, first=3))


def test_columns_gain_the_mapped_names(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("body,label\nx,y\n")
    source = select(open_source(tmp_path / "t.csv"), Selection(map={"ticket": "body"}))
    assert source.columns == ("body", "label", "ticket")


@pytest.mark.parametrize(
    "wrong",
    [
        {"first": 0},
        {"sample": -1},
        {"shard": (0, 3)},
        {"shard": (4, 3)},
        {"keep": ("output",)},
        {"keep": ("id",)},
        {"map": {"key": "x"}, "id": "key"},
        {"map": {"key": "x"}, "keep": ("key",)},
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        Selection(**wrong)


def test_a_shard_is_written_as_a_fraction() -> None:
    assert parse_shard(" 3/8 ") == (3, 8)
    for wrong in ("3", "3/", "a/b", "-1/3", "3/8/9", "", "²/3"):
        with pytest.raises(SettingsError, match="as in 3/8"):
            parse_shard(wrong)


def test_a_selection_survives_the_manifest() -> None:
    selection = Selection(first=3, shard=(1, 2), map={"a": "b"}, keep=("c",))
    assert msgspec.json.decode(msgspec.json.encode(selection), type=Selection) == selection
