"""Run ``inlink`` commands and show them to the user."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import click

INLINK = Path(sys.executable).with_name("inlink")


def run(*arguments: str, keep: bool = False, **environment: str) -> str:
    """Run an ``inlink`` command; with *keep*, return what it printed on stdout."""
    click.echo(f"$ inlink {shlex.join(arguments)}")
    done = subprocess.run(
        [INLINK, *arguments],
        stdout=subprocess.PIPE if keep else None,
        env=os.environ | environment,
        text=True,
        check=False,
    )
    if done.returncode:
        raise click.ClickException(f"inlink {arguments[0]} ended with code {done.returncode}.")
    if keep:
        click.echo(done.stdout.strip())
    click.echo()
    return (done.stdout or "").strip()
