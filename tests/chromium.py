"""What Chromium makes of bytes, queries and redirects: one start of it answers all questions.

It reads a page from a server on this machine, and sends back what it made of what stands there.
"""

import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, TypedDict
from urllib.parse import parse_qs, urlsplit

DEADLINE_SECONDS = 120

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
"""As root, and without a way to any other machine."""

UNDECLARED = "iso-8859-16"
"""The encoding that pages get which name none: in a frame, it is that of the page around it."""

_PAGE = """<!doctype html><body><script>
const text = async path => (await fetch(path)).text();
const frame = src => new Promise(done => {
  const frame = document.createElement("iframe");
  frame.onload = () => { done(frame.contentDocument); frame.remove(); };
  frame.src = src;
  document.body.append(frame);
});
const bytes = text => Uint8Array.from(text, c => c.charCodeAt(0));
async function main() {
  const {decode, encodings, queries, pages, locations} = JSON.parse(await text("/questions"));
  const decoded = Object.entries(decode).map(([encoding, inputs]) => {
    const decoded = input => new TextDecoder(encoding, {ignoreBOM: true}).decode(bytes(input));
    return [encoding, inputs.map(decoded)];
  });
  const sent = {};
  for (const encoding of encodings) {
    const link = (await frame("/page?encoding=" + encoding)).createElement("a");
    sent[encoding] = queries.map(query => {
      link.setAttribute("href", "http://t.example/?" + query);
      return link.href.slice("http://t.example/?".length);
    });
  }
  const shown = [];
  for (let number = 0; number < pages; number += 1) {
    const page = await frame("/page?number=" + number);
    const links = Array.from(page.links, link => link.href);
    shown.push({encoding: page.characterSet.toLowerCase(), title: page.title, links});
  }
  const followed = [];
  for (let number = 0; number < locations; number += 1)
    followed.push(await text("/redirect?number=" + number));
  const answers = {decoded: Object.fromEntries(decoded), sent, shown, followed};
  await fetch("/answers", {method: "POST", body: JSON.stringify(answers)});
}
onload = main;
</script>"""


class Questions(NamedTuple):
    """*queries* are sent from a page in each of *encodings*; *pages* are Content-Type and body."""

    decode: dict[str, list[bytes]]
    encodings: Sequence[str]
    queries: list[str]
    pages: Sequence[tuple[str, bytes]]
    locations: Sequence[bytes]


class Shown(TypedDict):
    """What a page is in a frame."""

    encoding: str
    title: str
    links: list[str]


class Answers(NamedTuple):
    """In the order of the questions; *followed* are paths and queries."""

    decoded: dict[str, list[str]]
    sent: dict[str, list[str]]
    shown: list[Shown]
    followed: list[str]


def ask(program: str, questions: Questions, directory: Path) -> Answers:
    """The answers of the Chromium that is *program*; *directory* is an empty one."""
    arrived: queue.Queue[bytes] = queue.Queue()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(questions, arrived))
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    url = f"http://127.0.0.1:{server.server_port}/"
    command = [program, *OPTIONS, f"--user-data-dir={directory}", url]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True) as browser:
        try:
            return Answers(**json.loads(arrived.get(timeout=DEADLINE_SECONDS)))
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            server.shutdown()
            serving.join()
            server.server_close()


def _handler(questions: Questions, arrived: queue.Queue[bytes]) -> type[BaseHTTPRequestHandler]:
    asked = {
        "decode": {
            encoding: [data.decode("latin-1") for data in inputs]
            for encoding, inputs in questions.decode.items()
        },
        "encodings": questions.encodings,
        "queries": questions.queries,
        "pages": len(questions.pages),
        "locations": len(questions.locations),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
            number = int(query.get("number", ["0"])[0])
            if path == "/":
                self._answer(f"text/html; charset={UNDECLARED}", _PAGE.encode())
            elif path == "/questions":
                self._answer("application/json", json.dumps(asked).encode())
            elif path == "/page" and "encoding" in query:
                self._answer(f"text/html; charset={query['encoding'][0]}", b"<p>")
            elif path == "/page":
                self._answer(*questions.pages[number])
            elif path == "/redirect":
                head = b"HTTP/1.0 302 Found\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n"
                self.wfile.write(head % questions.locations[number])
            else:
                self._answer("text/plain", self.path.encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer("text/plain", b"")
            arrived.put(body)

        def _answer(self, content_type: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
