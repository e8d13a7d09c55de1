"""The documents must say what the code does: settings, commands, options, tables, links."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pyarrow as pa
import pytest

from inlink import __version__
from inlink.api.commands import COMMANDS as API_COMMANDS
from inlink.api.commands import ROUTES
from inlink.cli import main
from inlink.store import tables
from inlink.store.configuration import Settings

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
RUNNING = (ROOT / "docs/running.md").read_text()
DATA_MODEL = (ROOT / "docs/data-model.md").read_text()

SCHEMAS = {
    ("A batch", "visits"): tables.VISITS,
    ("A batch", "links"): tables.LINKS,
    ("A batch", "urls"): tables.URLS,
    ("A generation", "pages"): tables.PAGES,
    ("A generation", "links"): tables.BACKLINKS,
    ("A generation", "redirects"): tables.REDIRECTS,
    ("A generation", "graph"): tables.GRAPH,
    ("A generation", "referrals"): tables.REFERRALS,
    ("A generation", "borrowed_urls"): tables.BORROWED_URLS,
    ("A generation", "places"): tables.PLACES,
    ("A generation", "ranks"): tables.RANKS,
    ("A generation", "domain_ranks"): tables.DOMAIN_RANKS,
    ("A generation", "past_ranks"): tables.PAST_RANKS,
    ("A generation", "past_domain_ranks"): tables.PAST_DOMAIN_RANKS,
    ("A generation", "rank_days"): tables.RANK_DAYS,
}
"""Which schema each part of docs/data-model.md describes."""

TYPES = {
    "int64": pa.int64(),
    "int32": pa.int32(),
    "int16": pa.int16(),
    "string": pa.string(),
    "bool": pa.bool_(),
    "timestamp": tables.TIME,
    "date": pa.date32(),
}

Rows = list[list[str]]


def table_rows(text: str, first_heading: str) -> Rows:
    """The cells of the first table whose header begins so."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith(f"| {first_heading} |"):
            break
    next(lines, None)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def section(text: str, *headings: str) -> str:
    """What stands below a heading, and below one in it, up to the next of that level.

    A heading may name several, with commas between them.
    """
    for level, heading in enumerate(headings, start=2):
        parts = re.split(rf"^{'#' * level} (.+)\n", text, flags=re.MULTILINE)
        found = [
            body
            for title, body in zip(parts[1::2], parts[2::2], strict=True)
            if heading in title.split(", ")
        ]
        assert len(found) == 1, f"{len(found)} sections {heading!r}"
        text = found[0]
    return text


def test_every_setting_stands_in_the_table_with_its_default() -> None:
    documented = {row[0].strip("`"): row[1].strip("`") for row in table_rows(RUNNING, "setting")}
    defaults = msgspec.json.decode(msgspec.json.encode(Settings()))
    assert documented == {
        name: msgspec.json.encode(value).decode() for name, value in defaults.items()
    }


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command below *command* that does something itself, by its full name."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands(inner, f"{path} {name}")
    else:
        yield path, command


COMMANDS = dict(commands(main, "inlink"))


def documented_commands() -> dict[str, str]:
    """The text about each command, by the name that its heading has."""
    parts = re.split(r"^### `(inlink [^`]+)`\n", RUNNING, flags=re.MULTILINE)
    return {
        name: re.split(r"^##+ ", text, maxsplit=1, flags=re.MULTILINE)[0]
        for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_every_command_has_a_heading_of_its_own() -> None:
    assert set(documented_commands()) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_stands_below_its_command(name: str) -> None:
    text = documented_commands().get(name, "")
    documented = set(re.findall(r"`(--?[\w-]+)", text)) | set(re.findall(r"`([A-Z_]+)`", text))
    expected = set()
    for parameter in COMMANDS[name].params:
        if isinstance(parameter, click.Option):
            expected |= {*parameter.opts, *parameter.secondary_opts}
        else:
            expected.add(parameter.make_metavar(click.Context(COMMANDS[name])).strip("[]."))
    # Every command has --data, which is described once for all of them.
    assert documented == expected - {"--data"}


def test_every_command_has_the_option_data() -> None:
    for command in COMMANDS.values():
        assert "--data" in {name for parameter in command.params for name in parameter.opts}
    assert "`--data DIR`" in RUNNING
    assert "`INLINK_DATA`" in RUNNING


@pytest.mark.parametrize(("part", "name"), SCHEMAS)
def test_every_column_stands_in_the_data_model(part: str, name: str) -> None:
    schema = SCHEMAS[part, name]
    text = section(DATA_MODEL, part, name)
    rows = table_rows(text, "column")
    if rows:
        assert [row[0] for row in rows] == schema.names
        for column, kind, *_ in rows:
            type_name, _, null = kind.partition(", ")
            assert schema.field(column).type == TYPES[type_name], column
            assert schema.field(column).nullable == (null == "null"), column
    else:
        assert names_in_prose(text, name) == schema.names


def names_in_prose(text: str, table: str) -> list[str]:
    """The columns of a small table, which its text names in order."""
    _, own, after = text.partition(f"`{table}`: ")
    if own:  # a text about several tables begins each with its name
        text = re.split(r"\n`\w+`: ", after)[0]
    table_names = {name for _, name in SCHEMAS}
    return [name for name in re.findall(r"`(\w+)`", text) if name not in table_names]


def test_every_table_of_the_data_model_has_a_schema() -> None:
    described = set()
    for part in ("A batch", "A generation"):
        for heading in re.findall(r"^### (.+)$", section(DATA_MODEL, part), re.MULTILINE):
            described |= {(part, name) for name in heading.split(", ")}
    assert described - {("A generation", "urls")} == set(SCHEMAS)
    assert "with the columns of a batch's `urls`" in section(DATA_MODEL, "A generation", "urls")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_between_documents_resolves(document: Path) -> None:
    for target, anchor in re.findall(
        r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)", document.read_text()
    ):
        path = (document.parent / target).resolve() if target else document
        assert path.exists(), f"{document.name} links to {target}"
        assert path.is_relative_to(ROOT), f"{document.name} links out of the repository"
        assert not anchor or anchor in anchors(path), f"{document.name} links to {target}#{anchor}"


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_a_document_names_is_there(document: Path) -> None:
    for name in re.findall(
        r"\b((?:src|docs|tests|demo|bench)/[\w./-]+\.(?:py|md|toml))\b", document.read_text()
    ):
        assert (ROOT / name).exists(), f"{document.name} names {name}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_line_is_too_long_to_read(document: Path) -> None:
    """Rows of tables are one line each, and may be longer."""
    lines = enumerate(document.read_text().splitlines(), 1)
    long = [number for number, line in lines if len(line) > 120 and not line.startswith("|")]
    assert long == [], f"{document.name} has lines of more than 120 characters"


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    readme = (ROOT / "README.md").read_text()
    described = json.loads((ROOT / "docs/openapi.json").read_text())["info"]
    assert project["version"] == __version__
    assert described["version"] == __version__
    assert re.findall(r"^\*\*Status:\*\* version (\S+)\. ", readme, re.MULTILINE) == [__version__]


def test_what_is_cited_is_the_latest_release_of_the_changelog() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## (\S+) \((\d{4}-\d\d-\d\d)\)$", changelog, re.MULTILINE)
    citation = (ROOT / "CITATION.cff").read_text()
    cited = re.findall(r"^(?:version|date-released): \"?([^\"\n]+)", citation, re.MULTILINE)
    assert tuple(cited) == headings[0]
    assert ("## Unreleased" in changelog) == __version__.endswith(".dev0")


def test_the_readme_leads_to_every_document() -> None:
    readme = (ROOT / "README.md").read_text()
    pages = [path.name for path in ROOT.glob("docs/*.md")]
    assert [name for name in pages if f"(docs/{name})" not in readme] == []


ROOMS = sorted(path.parent.name for path in ROOT.glob("src/inlink/*/__init__.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_the_architecture_names_every_module_of_a_room(room: str) -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    parts = re.split(r"^### ", text, flags=re.MULTILINE)
    (own,) = (part for part in parts if part.startswith(f"{room}/: "))
    named = [name for row in table_rows(own, "module") for name in re.findall(r"`(\w+)`", row[0])]
    modules = {path.stem for path in ROOT.glob(f"src/inlink/{room}/*.py")} - {"__init__"}
    assert sorted(named) == sorted(modules)


def test_the_architecture_has_the_layers_that_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = (rule["layers"] for rule in contracts["contracts"] if rule["type"] == "layers")
    rows = table_rows((ROOT / "ARCHITECTURE.md").read_text(), "layer")
    assert [re.findall(r"`(\w+)`", row[1]) for row in rows] == [
        layer.split(" | ") for layer in layers
    ]


def test_the_readme_names_every_command_of_the_api_that_is_served() -> None:
    rows = table_rows((ROOT / "README.md").read_text(), "ask for")
    named = [name for row in rows for name in re.findall("`([a-z-]+)`", row[1])]
    assert sorted(named) == sorted(command.name for command in API_COMMANDS)


def test_the_page_about_the_api_has_every_command_with_its_price() -> None:
    """Names, methods and units of the table in docs/api.md, and the paths of the later API."""
    rows = table_rows((ROOT / "docs/api.md").read_text(), "v1.0")
    told = set()
    for name, later, methods, *_, units in rows:
        price = None if units == "\N{EN DASH}" else (int(units.split()[0]), "request" in units)
        told |= {(name, False, methods, price)} if name else set()
        told |= {(later, True, methods, price)} if later else set()
    for name, methods, _, units in table_rows((ROOT / "docs/api.md").read_text(), "`/v2/…`"):
        told.add((name, True, methods, (int(units.split()[0]), "request" in units)))
    assert told == {
        (
            f"`{command.proof_path or command.successor_path or command.name}`",
            (command.proof_path or command.successor_path) is not None,
            ", ".join(command.methods),
            (command.units, command.per_request) if command.units else None,
        )
        for command in ROUTES
    }
