"""The rank history against the ranks as they were published.

`Record` writes down the tables ``ranks`` and ``domain_ranks`` after every build, by the day of the
last visit that it folded. What the newest generation says of each of these days, by its current
ranks and past values, has to be the same, with no more past values than there were changes.
"""

import copy
import datetime as dt
import itertools
import json
import random
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from inlink.fold.recipe import Generation, read_generation
from inlink.store import tables
from inlink.store.configuration import Settings
from inlink.store.layout import Layout
from inlink.urls.canonical import url_id
from tests.generations import build_tables, table
from tests.observations import START, Link, Visit, write_batch

Ranks = dict[int, int]
History = dict[dt.date, Ranks]

URLS = ("past_ranks", "ranks", "url_id", "inlink_rank")
DOMAINS = ("past_domain_ranks", "domain_ranks", "domain_id", "domain_inlink_rank")
SCHEMAS = {
    "past_ranks": tables.PAST_RANKS,
    "past_domain_ranks": tables.PAST_DOMAIN_RANKS,
    "rank_days": tables.RANK_DAYS,
}


@dataclass
class Record:
    """Builds generations in *directory*, and keeps what each of them published."""

    directory: Path
    settings: Settings = field(default_factory=Settings)
    batches: dict[str, list[Visit]] = field(default_factory=dict)
    urls: History = field(default_factory=dict)
    domains: History = field(default_factory=dict)

    def add(self, visits: Iterable[Visit]) -> None:
        name = f"batch-{len(list((self.directory / 'batches').glob('*'))):02}"
        self.batches[name] = list(visits)
        write_batch(self.directory, name, self.batches[name])

    def take_away(self, name: str) -> None:
        (self.directory / "batches" / name / "batch.json").unlink()
        del self.batches[name]

    def build(self, *visits: Visit) -> Generation:
        """One build, of *visits* if there are any, and a look at what it made."""
        if visits:
            self.add(visits)
        assert build_tables(self.directory, self.settings) is not None
        self.note()
        self.check()
        return current(self.directory)

    def note(self) -> None:
        """Write down what the current generation has published."""
        days = [visit.at.date() for visits in self.batches.values() for visit in visits]
        days.extend(self.urls)
        if days:
            self.urls[max(days)] = now(self.directory, URLS)
            self.domains[max(days)] = now(self.directory, DOMAINS)

    def check(self) -> None:
        """The current generation gives every published rank, in as few rows as there can be."""
        for history, names in ((self.urls, URLS), (self.domains, DOMAINS)):
            assert rank_days(self.directory) == sorted(history)
            assert reconstructed(self.directory, names, history) == known(history)
            assert past_values(self.directory, names) == changes(history)


def current(directory: Path) -> Generation:
    layout = Layout(directory)
    number = layout.current_number()
    assert number is not None
    return read_generation(layout, number)


def tables_of(directory: Path) -> Path:
    return Layout(directory).generation(current(directory).recipe.number) / "tables"


def now(directory: Path, names: tuple[str, str, str, str]) -> Ranks:
    _, name, key, rank = names
    return {row[key]: row[rank] for row in table(directory, name)}


def rank_days(directory: Path) -> list[dt.date]:
    """The table ``rank_days`` in its own order."""
    rows: list[dict[str, dt.date]] = pq.read_table(
        tables_of(directory) / "rank_days.parquet"
    ).to_pylist()
    return [row["day"] for row in rows]


def reconstructed(
    directory: Path, names: tuple[str, str, str, str], history: History
) -> list[tuple[dt.date, int, int]]:
    """The known ranks on each of the days, by the generation's own tables alone."""
    past_name, _, key, rank = names
    past = defaultdict(list)
    for row in table(directory, past_name):
        past[row[key]].append((row["until"], row[rank]))
    ranks = now(directory, names)
    found = []
    for day, item in itertools.product(sorted(history), sorted({*past, *ranks})):
        later = [value for value in past[item] if value[0] > day]
        value = min(later)[1] if later else ranks.get(item, -1)
        if value != -1:
            found.append((day, item, value))
    return found


def known(history: History) -> list[tuple[dt.date, int, int]]:
    return [
        (day, item, value)
        for day, ranks in sorted(history.items())
        for item, value in sorted(ranks.items())
    ]


def past_values(
    directory: Path, names: tuple[str, str, str, str]
) -> list[tuple[int, dt.date, int]]:
    past_name, _, key, rank = names
    return sorted((row[key], row["until"], row[rank]) for row in table(directory, past_name))


def changes(history: History) -> list[tuple[int, dt.date, int]]:
    """Each change from one rank day to the next, with the rank that there was before."""
    return sorted(
        (item, day, history[before].get(item, -1))
        for before, day in itertools.pairwise(sorted(history))
        for item in {*history[before], *history[day]}
        if history[before].get(item, -1) != history[day].get(item, -1)
    )


def page(name: str, day: float, *targets: str, **more: Any) -> Visit:
    links = tuple(Link(address(target), "text") for target in targets)
    return Visit(address(name), day, links=links, **more)


def address(name: str) -> str:
    """``c2`` is page 2 of the domain ``c.example``."""
    return f"https://{name[0]}.example/{name[1:]}"


def date(day: int) -> dt.date:
    return (START + dt.timedelta(days=day)).date()


def rank_of(ranks: Ranks, name: str) -> int:
    return ranks.get(url_id(address(name)), -1)


def moved(directory: Path) -> set[int]:
    """The URLs whose rank has ever been another."""
    return {row["url_id"] for row in table(directory, "past_ranks")}


def test_ranks_that_rise_fall_appear_vanish_and_stay(tmp_path: Path) -> None:
    record = Record(tmp_path)
    record.build(page("a", 0, "b"), page("b", 0), page("c", 0), page("s", 0, "t"))
    assert table(tmp_path, "past_ranks") == []
    assert table(tmp_path, "past_domain_ranks") == []
    record.build(page("s", 2, "t"))
    assert rank_days(tmp_path) == [date(0), date(2)]
    assert table(tmp_path, "past_ranks") == []  # ranks that stay cost nothing
    record.build(page("c", 3, "b", "d"), page("s", 3, "t"))
    record.build(page("a", 5), page("e", 5), page("s", 5, "t"))
    record.build(Visit(address("b"), 9.999999, "page_not_found"), page("c", 8))
    assert rank_days(tmp_path) == [date(0), date(2), date(3), date(5), date(9)]
    b, d, t = ([rank_of(ranks, name) for ranks in record.urls.values()] for name in "bdt")
    assert 0 < b[3] < b[0] == b[1] < b[2]
    assert b[4] == -1
    assert (d[0], d[1], d[4]) == (-1, -1, -1)
    assert d[2] > 0
    assert t[0] > 0
    assert not moved(tmp_path) & {url_id(address("s")), url_id(address("t"))}
    for name, schema in SCHEMAS.items():
        written = pq.read_schema(tables_of(tmp_path) / f"{name}.parquet")
        assert written.names == schema.names
        assert written.types == schema.types


def test_the_last_generation_of_a_day_counts(tmp_path: Path) -> None:
    record = Record(tmp_path)
    there_and_back = {url_id(address(name)) for name in "qr"}
    record.build(page("a", 0, "b"), page("c", 0), page("p", 0, "q"), page("r", 0))
    record.build(page("c", 0.1, "b"))
    assert table(tmp_path, "past_ranks") == []  # there is no day before
    record.build(page("c", 4, "d"), page("p", 4, "r"))
    assert moved(tmp_path) > there_and_back
    record.build(page("c", 4.2, "b", "e"), page("f", 4.1, "d"), page("p", 4.2, "q"))
    assert table(tmp_path, "past_ranks") != []
    assert not moved(tmp_path) & there_and_back  # a change taken back on the same day is none
    record.build(page("c", 4.3, "b"), page("f", 4.4), page("g", 4.4, "b"))
    record.build(page("a", 6))
    assert rank_days(tmp_path) == [date(0), date(4), date(6)]


def test_visits_that_come_late_belong_to_the_day_of_the_last(tmp_path: Path) -> None:
    """And the history outlives the generations."""
    record = Record(tmp_path, Settings(keep_generations=1))
    record.build(page("a", 2, "b"), page("b", 2))
    record.build(page("a", 6, "c"))
    record.build(page("d", 1, "b"), page("e", 4, "b"), page("a", 5, "b"))
    record.build(page("b", 8, "c"))
    assert rank_days(tmp_path) == [date(2), date(6), date(8)]
    assert Layout(tmp_path).generation_numbers() == [4]


def test_a_fold_from_nothing_carries_the_history_on(tmp_path: Path) -> None:
    record = Record(tmp_path)
    record.build(page("a", 0, "b"), page("c", 0, "b"))
    record.build(Visit(address("a"), 2, "failed"))
    rows = len(table(tmp_path, "past_ranks"))
    record.settings = Settings(failed_visits=1)
    generation = record.build(page("d", 3, "b"))
    assert (generation.recipe.previous, generation.recipe.ranked_before) == (None, 2)
    assert len(table(tmp_path, "past_ranks")) > rows
    record.settings = Settings(failed_visits=2)
    generation = record.build()  # nothing new but the rules
    assert (generation.recipe.previous, generation.recipe.ranked_before) == (None, 3)
    generation = record.build(page("c", 7))
    assert (generation.recipe.previous, generation.recipe.ranked_before) == (4, 4)


def test_no_rank_day_lies_before_the_last_when_a_batch_is_taken_away(tmp_path: Path) -> None:
    record = Record(tmp_path)
    record.build(page("a", 0, "b"))
    record.build(page("c", 5, "b", "d"))
    record.take_away("batch-01")
    record.build()
    assert rank_days(tmp_path) == [date(0), date(5)]
    assert table(tmp_path, "past_ranks") == []  # those of day 5 are as they were on day 0 again
    record.build(page("a", 3, "d"))
    assert rank_days(tmp_path) == [date(0), date(5)]
    record.take_away("batch-00")
    record.take_away("batch-02")
    record.build()
    assert now(tmp_path, URLS) == {}
    record.build(page("a", 8, "b"))
    assert rank_days(tmp_path) == [date(0), date(5), date(8)]


def test_a_crawl_without_visits_has_no_rank_day(tmp_path: Path) -> None:
    record = Record(tmp_path)
    record.add([])
    record.build()
    assert rank_days(tmp_path) == []
    record.build(page("a", 2, "b"))
    assert rank_days(tmp_path) == [date(2)]
    assert table(tmp_path, "past_ranks") == []
    record.add([])
    record.build()
    record.build(page("a", 4, "c"))
    assert rank_days(tmp_path) == [date(2), date(4)]


@pytest.fixture(scope="module")
def two_generations(tmp_path_factory: pytest.TempPathFactory) -> Record:
    record = Record(tmp_path_factory.mktemp("two"))
    record.build(page("a", 0, "b"))
    record.build(page("a", 3, "c"), page("d", 2, "b"))
    return record


@pytest.mark.parametrize("rules", [1, None], ids=["older rules", "the same rules"])
def test_a_generation_without_history_begins_one(
    two_generations: Record, tmp_path: Path, rules: int | None
) -> None:
    """As earlier versions wrote them: no tables of the history, and a plan that names none."""
    shutil.copytree(two_generations.directory, tmp_path, dirs_exist_ok=True)
    record = replace(copy.deepcopy(two_generations), directory=tmp_path)
    for name in SCHEMAS:
        (tables_of(tmp_path) / f"{name}.parquet").unlink()
    path = tables_of(tmp_path).parent / "generation.json"
    generation = json.loads(path.read_bytes())
    del generation["plan"]["ranked_before"]
    generation["plan"]["fold_rules"] = rules or generation["plan"]["fold_rules"]
    path.write_text(json.dumps(generation))
    for history in (record.urls, record.domains):
        del history[date(0)]
    record.build(page("d", 6, "c"))
    assert rank_days(tmp_path) == [date(3), date(6)]
    assert table(tmp_path, "past_ranks") != []
    record.build(page("a", 7, "b"))


class InterruptedBuildError(Exception):
    """What a build dies of here."""


def dies_after(last: str, begun: list[str]) -> Callable[[str, float | None], None]:
    """Progress of a build that dies when step *last* is done, and the names of its steps."""

    def report(step: str, share: float | None) -> None:
        begun.append(step)
        if (step, share) == (last, 1.0):
            raise InterruptedBuildError

    return report


def test_an_interrupted_build_goes_on(tmp_path: Path) -> None:
    """However often, and whichever step was its last."""
    record = Record(tmp_path)
    record.build(page("a", 0, "b"), page("c", 0))
    record.settings = Settings(failed_visits=1)  # the fold starts from nothing
    record.add([page("c", 5, "b"), page("a", 5, "d")])
    attempts: list[list[str]] = []
    for step in ("graph", "rank_days", "past_ranks", "past_domain_ranks"):  # in their order
        attempts.append([])
        with pytest.raises(InterruptedBuildError):
            build_tables(tmp_path, record.settings, dies_after(step, attempts[-1]))
    attempts.append([])
    assert build_tables(tmp_path, record.settings, dies_after("", attempts[-1])) is not None
    once = {"urls", "pages", "links"}
    assert once <= set(attempts[0])
    assert not once & set(itertools.chain(*attempts[1:])), "finished steps were made again"
    record.note()
    record.check()


def test_a_build_interrupted_before_other_batches_came_starts_again(tmp_path: Path) -> None:
    record = Record(tmp_path)
    record.build(page("a", 0, "b"))
    record.add([page("a", 3, "c")])
    with pytest.raises(InterruptedBuildError):
        build_tables(tmp_path, record.settings, dies_after("past_domain_ranks", []))
    record.build(page("c", 4, "b"))
    assert rank_days(tmp_path) == [date(0), date(4)]


NAMES = [f"{domain}{number}" for domain in "abcdef" for number in range(3)]


COURSE = ("later", "later", "later", "same day", "late", "rules", "away")


def test_any_course_of_builds(tmp_path: Path) -> None:
    """Crawls that are later or late, other rules and a batch taken away, in some order."""
    chance = random.Random(1)
    record = Record(tmp_path)
    day = 1.0
    record.build(*made_visits(chance, day))
    for kind in chance.sample(COURSE, len(COURSE)):
        if kind in ("later", "same day"):
            day = day + 0.1 if kind == "same day" else float(int(day) + chance.randint(1, 3))
            record.build(*made_visits(chance, day))
        elif kind == "late":
            record.build(*made_visits(chance, chance.uniform(0, day)))
        elif kind == "rules":
            record.settings = Settings(failed_visits=1)
            record.build()
        else:
            record.take_away(chance.choice(list(record.batches)))
            record.build()
    values = past_values(tmp_path, URLS)
    assert any(rank == -1 for _, _, rank in values)
    assert any(rank > 0 for _, _, rank in values)


def made_visits(chance: random.Random, day: float) -> list[Visit]:
    return [
        page(name, day, *chance.sample(NAMES, chance.randint(0, 4)))
        if chance.random() < 0.7
        else Visit(address(name), day, chance.choice(["failed", "page_not_found", "noindex"]))
        for name in chance.sample(NAMES, 6)
    ]
