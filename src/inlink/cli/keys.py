"""``inlink keys``: make API keys and look after them."""

import contextlib
from collections.abc import Iterator

import click

from inlink.accounts.database import connect
from inlink.accounts.keys import AccountsError, Keys
from inlink.cli.options import data_option
from inlink.store.layout import Layout


@click.group()
def keys() -> None:
    """Make API keys, list them, switch them off and on."""


@contextlib.contextmanager
def _opened(layout: Layout) -> Iterator[Keys]:
    """The keys of *layout*; what cannot be done is told without a traceback."""
    engine = connect(layout.accounts)
    try:
        yield Keys(engine)
    except AccountsError as error:
        raise click.ClickException(str(error)) from error
    finally:
        engine.dispose()


@keys.command()
@data_option
@click.option("--name", required=True, help="What to call the key; no two have the same name.")
def create(layout: Layout, name: str) -> None:
    """Make a key and print it. It is not kept: this is the only time it can be seen."""
    with _opened(layout) as stored:
        click.echo(stored.create(name))


@keys.command("list")
@data_option
def list_keys(layout: Layout) -> None:
    """List the keys: id, when it was made, whether it is enabled, name."""
    with _opened(layout) as stored:
        for key in stored.all():
            state = "enabled" if key.enabled else "disabled"
            click.echo(f"{key.id}\t{key.created_at}\t{state}\t{key.name}")


@keys.command()
@data_option
@click.argument("id_or_name")
def disable(layout: Layout, id_or_name: str) -> None:
    """Switch a key off; running servers refuse it within a second or so."""
    with _opened(layout) as stored:
        stored.set_enabled(id_or_name, False)


@keys.command()
@data_option
@click.argument("id_or_name")
def enable(layout: Layout, id_or_name: str) -> None:
    """Switch a key on again."""
    with _opened(layout) as stored:
        stored.set_enabled(id_or_name, True)


@keys.command()
@data_option
@click.argument("id_or_name")
def delete(layout: Layout, id_or_name: str) -> None:
    """Delete a key for good."""
    with _opened(layout) as stored:
        stored.delete(id_or_name)
