"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from inlink.store.layout import Layout

Function = Callable[..., Any]


def data_option(function: Function) -> Function:
    """Give a command the option ``--data``; it arrives as the parameter *layout*."""
    return click.option(
        "--data",
        "layout",
        type=click.Path(file_okay=False, path_type=Path),
        default="inlink-data",
        show_default="./inlink-data",
        envvar="INLINK_DATA",
        show_envvar=True,
        callback=lambda _context, _parameter, path: Layout(path),
        help="The data directory.",
    )(function)
