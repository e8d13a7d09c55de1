"""Start: from ``inlink serve`` to the first answer, and the memory of a worker.

On the web of the stage of serving. Memory is what the worker shares with no
other process, after it has answered every kind of request about targets of every size.
"""

import time
from collections.abc import Iterator

from bench import webs
from bench.harness import INLINK, Goal, Measurement, Run
from bench.peers.contenders import served_by_inlink
from bench.serving import links_of, questions_about
from bench.soak import private_megabytes

TITLE = "Start and memory of a server"
GOALS = [
    Goal("first answer within a second", "start", "value", at_most=1),
    Goal("a worker under 200 MB private", "memory", "value", at_most=200),
]


def measure(run: Run) -> Iterator[Measurement]:
    """Start some times; ask, and look at the memory."""
    layout = webs.generation(run, links_of(run))
    targets = webs.targets(layout)
    starts, sizes = [], []
    for _ in range(run.either(5, 2)):
        begin = time.perf_counter()
        with served_by_inlink(layout) as server:
            server.ask(server.path("get-metrics", {"target": targets[0].text}))
            starts.append(time.perf_counter() - begin)
            for target in targets:
                for asked in questions_about(target):
                    server.ask(server.path(asked.command, asked.parameters))
            sizes.append(max(private_megabytes(server.pid)))
    yield Measurement("start, to the first answer", INLINK, "inlink", "s", starts)
    yield Measurement("memory of a worker", INLINK, "inlink", "MB", sizes)
