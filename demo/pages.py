"""Answers of web servers: small HTML documents with links in their text, redirects, and errors."""

import html
import random
from dataclasses import dataclass

from demo.model import Answer

SENTENCES = (
    "It took three attempts before anything worth keeping came of it.",
    "Most of what follows was learned the slow way.",
    "The weather had other plans, as it does every spring.",
    "A neighbour lent the tools, and they went back cleaner than they came.",
    "There is a shorter way, but it skips the interesting part.",
    "Prices are those of last season and may have changed since.",
    "Readers wrote in to say that the second method is kinder to the wood.",
    "None of this needs more than an afternoon and some patience.",
    "The photographs did not turn out, so here it is in words.",
    "Ask before you pick anything up; most people are glad to explain.",
    "We measured twice and still had to cut again.",
    "Nobody remembers who started it, but it has been done like this for years.",
)


@dataclass(frozen=True, slots=True)
class Link:
    """An ``<a>`` element of a page."""

    href: str
    text: str = ""
    rel: str = ""
    image: str | None = None
    alt: str = ""

    def markup(self) -> str:
        """The element, escaped."""
        rel = f' rel="{html.escape(self.rel)}"' if self.rel else ""
        inside = html.escape(self.text)
        if self.image is not None:
            source, alt = html.escape(self.image), html.escape(self.alt)
            inside = f'<img src="{source}" alt="{alt}">{inside}'
        return f'<a href="{html.escape(self.href)}"{rel}>{inside}</a>'


def page(
    title: str,
    *links: Link,
    head: str = "",
    headers: tuple[tuple[str, str], ...] = (),
    charset: str = "utf-8",
) -> Answer:
    """A 200 with a document of that title; *head* goes into its head unchanged."""
    content_type = ("Content-Type", f"text/html; charset={charset}")
    return Answer(200, (content_type, *headers), _document(title, links, head).encode(charset))


def redirect(location: str | None, status: int = 301) -> Answer:
    """A redirect; with *location* None, it has no ``Location``."""
    headers = [("Content-Type", "text/html; charset=utf-8")]
    if location is not None:
        headers.append(("Location", location))
    return Answer(status, tuple(headers), _document("Moved", (), "").encode())


def error(status: int, title: str) -> Answer:
    """An error with its own page, as servers send them."""
    headers = (("Content-Type", "text/html; charset=utf-8"),)
    return Answer(status, headers, _document(title, (Link("/", "Home"),), "").encode())


def file(content_type: str, body: bytes) -> Answer:
    """A 200 that is not HTML."""
    return Answer(200, (("Content-Type", content_type),), body)


def _document(title: str, links: tuple[Link, ...], head: str) -> str:
    choose = random.Random(title)
    escaped = html.escape(title)
    paragraphs = [
        f"<p>{choose.choice(SENTENCES)} {link.markup()}. {choose.choice(SENTENCES)}</p>"
        for link in links
    ]
    return "\n".join(
        (
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            f"<title>{escaped}</title>",
            *([head] if head else []),
            "</head>",
            "<body>",
            f"<main><h1>{escaped}</h1>",
            f"<p>{choose.choice(SENTENCES)}</p>",
            *paragraphs,
            "</main>",
            "</body>",
            "</html>",
            "",
        )
    )
