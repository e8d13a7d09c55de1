"""Exports. In: a target. Out: the rows of its export file.

These are coroutines over a `Wire`: they start the task, ask for its status until it is complete,
and read its file.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from inlink.client.answers import Task
from inlink.client.csv_gz import CsvGz
from inlink.client.errors import ExportError, unexpected
from inlink.client.server import Server
from inlink.client.wire import Wire
from inlink.contract.rows import Backlink
from inlink.contract.vocabulary import Mode

FIRST_PAUSE = 0.5  # seconds before the status is asked for again
LONGEST_PAUSE = 30.0
GROWTH = 1.5

RUNNING = ("queued_for_processing", "processing")


async def start(server: Server, wire: Wire, target: str, mode: Mode) -> str:
    """Start an export and return its id.

    Raises:
        ExportError: the key has another running export.
        ClientError: the request failed.
    """
    asked = {"target": target, "mode": mode}
    task = await server.get(wire, "download-all-backlinks", Task, asked)
    if task.task_status == "rejected" or not task.task_id:
        raise ExportError(task.task_status, task.task_id)
    return task.task_id


async def read(server: Server, wire: Wire, task_id: str) -> AsyncGenerator[list[Backlink], None]:
    """The rows of an export, once it is complete.

    Raises:
        ExportError: there is no such export.
        ClientError: a request failed, or the file is not what it should be.
    """
    url = await _file_of(server, wire, task_id)
    file = CsvGz()
    async with aclosing(server.file(wire, url)) as chunks:
        async for chunk in chunks:
            for rows in file.feed(chunk):
                yield rows
    yield file.end()


async def _file_of(server: Server, wire: Wire, task_id: str) -> str:
    """Wait until the export has a file, and return the file's URL."""
    pause = FIRST_PAUSE
    while True:
        task = await server.get(wire, "download-all-backlinks-status", Task, {"task_id": task_id})
        if task.task_status == "complete":
            if not task.download_file:
                raise unexpected("download-all-backlinks-status", "a complete task has no file")
            return task.download_file
        if task.task_status not in RUNNING:
            raise ExportError(task.task_status, task_id)
        await wire.pause(pause)
        pause = min(pause * GROWTH, LONGEST_PAUSE)
