"""Start: from ``inlink serve`` to the first answer, and the memory of a worker.

On the web of the stage of serving. Memory is that of the worker after it has answered every kind of
request about targets of every size: what is its own, and beside it the pages of the segments that
it has mapped, which several workers share, and the system takes back when it needs the memory.
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
    starts: list[float] = []
    memory: dict[str, list[float]] = {"Private_Dirty": [], "Private_Clean": []}
    for _ in range(run.either(5, 2)):
        begin = time.perf_counter()
        with served_by_inlink(layout) as server:
            server.ask(server.path("get-metrics", {"target": targets[0].text}))
            starts.append(time.perf_counter() - begin)
            for target in targets:
                for asked in questions_about(target):
                    server.ask(server.path(asked.command, asked.parameters))
            for kind, sizes in memory.items():
                sizes.append(max(private_megabytes(server.pid, kind)))
    yield Measurement("start, to the first answer", INLINK, "inlink", "s", starts)
    cases = ("memory of a worker, its own", "pages of files that a worker has mapped")
    for case, sizes in zip(cases, memory.values(), strict=True):
        yield Measurement(case, INLINK, "inlink", "MB", sizes)
