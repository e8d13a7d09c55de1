"""A running server changes over to each new generation without a failed request."""

import threading
from collections import Counter
from functools import partial
from pathlib import Path

import httpx

from inlink.fold.publish import remove_old_generations
from inlink.store.layout import Layout
from tests.patience import PATIENCE, wait_until
from tests.serving import Row, Server, make_current, serving, write_generation

GENERATIONS = 6
CLIENTS = 4
TARGET = "shop.example"


def make_generations(data: Path) -> None:
    """Generation n has n backlinks to TARGET, each titled n."""
    for number in range(1, GENERATIONS + 1):
        sources = [f"https://blog{source}.example/" for source in range(number)]
        rows = [Row(source, f"https://{TARGET}/", title=str(number)) for source in sources]
        write_generation(data, number, rows)


class Client(threading.Thread):
    """Asks without pause, on connections old and new, and keeps what was answered."""

    def __init__(self, server: Server, stop: threading.Event) -> None:
        super().__init__()
        self.server = server
        self.stop = stop
        self.answered: list[int] = []
        self.failures: list[str] = []

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                with httpx.Client(base_url=self.server.client.base_url, timeout=PATIENCE) as client:
                    for _ in range(10):
                        self.answered.append(self.ask(client))
            except Exception as error:
                self.failures.append(repr(error))

    def ask(self, client: httpx.Client) -> int:
        """The generation that answered, which has to be the same throughout one answer."""
        parameters = {"apikey": self.server.key, "target": TARGET}
        answer = client.get("/backlinks/v1.0/get-raw-backlinks", params=parameters)
        assert answer.status_code == 200, answer.text
        rows = answer.json()["backlinks"]
        assert {row["title"] for row in rows} == {str(len(rows))}
        return len(rows)


def everyone_has(clients: list[Client], number: int) -> bool:
    return all(client.answered[-1:] == [number] for client in clients)


def the_last_is_left(layout: Layout) -> bool:
    """Whether no server uses another, so that all others can go."""
    remove_old_generations(layout, keep=1)
    return layout.generation_numbers() == [GENERATIONS]


def test_generations_are_swapped_under_load(tmp_path: Path) -> None:
    make_generations(tmp_path)
    layout = Layout(tmp_path)
    make_current(tmp_path, 1)
    stop = threading.Event()
    with serving(tmp_path, "--workers", "2") as server:
        clients = [Client(server, stop) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            for number in range(1, GENERATIONS + 1):
                make_current(tmp_path, number)
                remove_old_generations(layout, keep=GENERATIONS - number + 1)
                wait_until(partial(everyone_has, clients, number))
            wait_until(lambda: the_last_is_left(layout))
        finally:
            stop.set()
            for client in clients:
                client.join()
        assert [failure for client in clients for failure in client.failures] == []
        counts = Counter(number for client in clients for number in client.answered)
        assert set(counts) == set(range(1, GENERATIONS + 1))
