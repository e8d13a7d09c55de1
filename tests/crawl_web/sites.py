"""The hosts of the web, before and after some changes, and what is true of them.

Each page says for each of three crawls what it answers, to which other hosts it has a live backlink
then, and whether a polite crawler asks for it at all.
"""

from dataclasses import dataclass, field
from itertools import permutations
from typing import TypeVar

from tests.crawl_web import answers
from tests.crawl_web.answers import HTML, Answer, Tagged, page, redirect, reply, text

PLAIN_HOSTS = 220
OUTSIDE = "http://outside.example/"
"""A host that is no seed, so it is never asked."""
BLOCKED = "blocked.example"
METADATA = "http://169.254.169.254/latest/meta-data/"
ENDLESS_HOSTS = ("calendar.example", "deep.example")
"""Hosts that never run out of pages."""

Live = tuple[str, ...]
T = TypeVar("T")


@dataclass
class Page:
    """What a URL is in three crawls."""

    answers: tuple[Answer, Answer, Answer]
    live: tuple[Live, Live, Live]
    """Targets of its live backlinks after each crawl."""
    reasons: dict[str, str]
    """Why a target is lost, where it is."""
    fetched: tuple[bool, bool, bool]


@dataclass
class Web:
    """All pages; what is no page (robots.txt); where a crawl begins."""

    pages: dict[str, Page] = field(default_factory=dict)
    others: dict[str, Answer] = field(default_factory=dict)
    seeds: list[str] = field(default_factory=list)
    crawl: int = 1

    def __call__(self, url: str, headers: dict[str, str]) -> Answer | None:
        if url in self.pages:
            answer = self.pages[url].answers[self.crawl - 1]
            return answer.to(headers) if isinstance(answer, Tagged) else answer
        return self.others.get(url) or _endless(url)

    def live(self) -> set[tuple[str, str]]:
        """Every live backlink after the crawl that was last."""
        pages = self.pages.items()
        return {(url, target) for url, page in pages for target in page.live[self.crawl - 1]}

    def lost(self) -> set[tuple[str, str, str]]:
        """Every lost backlink after it, with the reason."""
        return {
            (url, target, page.reasons[target])
            for url, page in self.pages.items()
            for target in set().union(*page.live[: self.crawl - 1]) - set(page.live[self.crawl - 1])
        }

    def fetched(self) -> set[str]:
        """Every page that a polite crawler asks for in this crawl."""
        return {url for url, page in self.pages.items() if page.fetched[self.crawl - 1]}

    def site(self, host: str, *paths: str, scheme: str = "http", rest: str = "") -> str:
        """A host whose home page, a seed, leads to *paths*; its origin."""
        origin = f"{scheme}://{host}"
        self.seeds.append(f"{origin}/")
        self.page(f"{origin}/", page(*paths, extra=rest))
        return origin

    def page(
        self,
        url: str,
        *given: Answer,
        live: tuple[Live, ...] = ((),),
        lost: dict[str, str] | None = None,
        fetched: tuple[bool, ...] = (True,),
    ) -> None:
        """A page; where less than three things are said, the last one holds on."""
        self.pages[url] = Page(_three(given), _three(live), lost or {}, _three(fetched))


def _three(given: tuple[T, ...]) -> tuple[T, T, T]:
    first, second, third = (*given, given[-1], given[-1])[:3]
    return first, second, third


def target(name: str) -> str:
    """A page out of reach that something links to."""
    return f"{OUTSIDE}{name}"


def the_web() -> Web:
    """All of it."""
    web = Web()
    for part in (_plain, _changes, _forms, _faults, _overloaded, _robots, _secure, _traps, _policy):
        part(web)
    return web


def _plain(web: Web) -> None:
    """The quiet majority: two pages to a host, with a link each, which never change."""
    for number in range(PLAIN_HOSTS):
        origin = f"http://www.plain{number:03d}.example"
        neighbour = f"http://www.plain{(number + 1) % PLAIN_HOSTS:03d}.example/about"
        web.seeds.append(f"{origin}/")
        web.page(f"{origin}/", page("/about", neighbour), live=((neighbour,),))
        web.page(
            f"{origin}/about",
            page("/", target(f"plain{number}")),
            live=((target(f"plain{number}"),),),
        )


def _changes(web: Web) -> None:
    """What happens to pages that had a link."""
    after: dict[str, tuple[Answer, str]] = {
        "removed": (page("/"), "link_removed"),
        "gone": (reply(404, HTML), "page_not_found"),
        "noindex": (
            page(target("noindex"), extra='<meta name="robots" content="noindex">'),
            "noindex",
        ),
        "noindex-header": (
            page(target("noindex-header"), headers={"X-Robots-Tag": "noindex"}),
            "noindex",
        ),
        "canonical": (
            page(target("canonical"), extra='<link rel="canonical" href="/">'),
            "not_canonical",
        ),
        "redirect": (redirect("/"), "redirect"),
        "nowhere": (reply(302, HTML), "broken_redirect"),
        "plain-text": (text("no page any more"), "other"),
    }
    origin = web.site(
        "changes.example", *(f"/{name}" for name in after), "/kept", "/same", "/late", "/away"
    )
    for name, (answer, reason) in after.items():
        web.page(
            f"{origin}/{name}",
            page(target(name)),
            answer,
            live=((target(name),), ()),
            lost={target(name): reason},
        )
    tagged = Tagged('"one"', page(target("kept"), headers={"ETag": '"one"'}))
    web.page(f"{origin}/kept", tagged, live=((target("kept"),),))
    web.page(f"{origin}/same", page(target("same")), live=((target("same"),),))
    web.page(
        f"{origin}/late", page("/"), page("/", "/new", target("late")), live=((), (target("late"),))
    )
    web.page(
        f"{origin}/new", page(target("new")), live=((), (target("new"),)), fetched=(False, True)
    )
    web.page(
        f"{origin}/away",
        redirect(target("away")),
        page("/"),
        live=((target("away"),), ()),
        lost={target("away"): "link_removed"},
    )


def _forms(web: Web) -> None:
    """Pages as they come: compressed, in chunks, without length; all are read."""
    bodies = {
        "zipped": answers.zipped(answers.markup(target("zipped"))),
        "chunked": answers.chunked(answers.markup(target("chunked"))),
        "old": answers.without_length(answers.markup(target("old"))),
        "hints": answers.after_hints(answers.markup(target("hints"))),
        "endless": answers.endless(answers.markup(target("endless")), in_chunks=False),
        "endless-chunks": answers.endless(answers.markup(target("endless-chunks")), in_chunks=True),
        "bomb": answers.zipped(answers.markup(target("bomb")) + b" " * 100_000_000),
    }
    origin = web.site(
        "forms.example", *(f"/{name}" for name in bodies), "/nofollow", "/no-links", "/short"
    )
    for name, answer in bodies.items():
        web.page(f"{origin}/{name}", answer, live=((target(name),),))
    link = f'<a rel="nofollow" href="{target("nofollow")}">a</a>'
    hidden = (
        '<a rel="nofollow" href="/not-followed">b</a><form action="/form" method="post"></form>'
    )
    web.page(f"{origin}/nofollow", page(link, hidden), live=((target("nofollow"),),))
    web.page(f"{origin}/not-followed", page(), fetched=(False,))
    web.page(f"{origin}/form", page(), fetched=(False,))
    meta = '<meta name="robots" content="nofollow">'
    web.page(
        f"{origin}/no-links",
        page(target("no-links"), "/not-followed", extra=meta),
        live=((target("no-links"),),),
    )
    seen = answers.markup(target("short"))
    web.page(
        f"{origin}/short",
        answers.wrong_length(seen + b"<a href='/form'>", len(seen)),
        live=((target("short"),),),
    )


def _faults(web: Web) -> None:
    """Pages that had a link and then give no whole answer: twice in a row, and it is lost."""
    faults: dict[str, Answer] = {
        "hang": answers.hang,
        "reset": answers.reset,
        "reset-within": answers.reset_within(answers.markup("/")),
        "slow": answers.slow(answers.markup("/")),
        "ends-early": answers.wrong_length(answers.markup("/"), 100_000),
        "broken-chunks": answers.chunked(answers.markup("/"), ending=b"no number\r\n"),
        "missing-chunk": answers.chunked(answers.markup("/"), ending=b""),
        "garbage": answers.send(b"\x16\x03\x01 this is not HTTP\r\n\r\n"),
        "huge-header": answers.send(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n"),
        "two-lengths": answers.send(
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"
        ),
        "error": reply(500, HTML),
    }
    for name, fault in faults.items():
        origin = web.site(f"{name}.example", "/page")
        web.page(
            f"{origin}/page",
            page(target(name)),
            fault,
            live=((target(name),), (target(name),), ()),
            lost={target(name): "crawl_error"},
        )
    loops = web.site("loops.example", "/self", "/there", "/chain?n=1")
    web.page(f"{loops}/self", redirect("/self"))
    web.page(f"{loops}/there", redirect("/back"))
    web.page(f"{loops}/back", redirect("/there"))
    for hop in range(1, 12):  # five redirects are followed; the next crawl goes on from there
        web.page(
            f"{loops}/chain?n={hop}",
            redirect(f"/chain?n={hop + 1}"),
            fetched=(hop <= 6, True),
        )


def _overloaded(web: Web) -> None:
    """Hosts that ask to come back later."""
    later = reply(429, {**HTML, "Retry-After": "1"})
    origin = web.site("busy.example", "/soon", "/never", "/unavailable")
    good = page(target("soon"))
    web.page(f"{origin}/soon", answers.first(1, later, good), live=((target("soon"),),))
    web.page(f"{origin}/never", later)
    unavailable = answers.first(1, reply(503, HTML), page(target("unavailable")))
    web.page(f"{origin}/unavailable", unavailable, live=((target("unavailable"),),))
    busy = web.site("busy-robots.example")
    web.others[f"{busy}/robots.txt"] = answers.first(1, later, text("User-agent: *\nAllow: /"))


def _robots(web: Web) -> None:
    """robots.txt of every kind."""
    allowed: dict[str, Answer] = {
        "missing": reply(404, HTML),
        "forbidden": reply(403, HTML),
        "empty": text(""),
        "other-bot": text("User-agent: otherbot\nDisallow: /"),
        "our-group": text("User-agent: *\nDisallow: /\n\nUser-agent: InlinkBot\nDisallow: /no"),
        "longest": text("User-agent: *\nDisallow: /\nAllow: /$\nAllow: /page"),
        "with-mark": text("\ufeffUser-agent: *\nDisallow: /no"),
        "redirected": redirect("http://rules.example/rules"),
        "soft-404": page("/"),
        "loop": redirect("/robots.txt"),
        "beyond": text("#" * 600_000 + "\nUser-agent: *\nDisallow: /"),
        "delay": text("User-agent: *\nCrawl-delay: 0.5"),
    }
    for name, robots in allowed.items():
        origin = web.site(f"robots-{name}.example", "/page", "/no")
        web.others[f"{origin}/robots.txt"] = robots
        web.page(f"{origin}/page", page(target(name)), live=((target(name),),))
        forbids = name in ("our-group", "longest", "with-mark", "redirected")
        web.page(f"{origin}/no", page(), fetched=(not forbids,))
    web.others["http://rules.example/rules"] = text("User-agent: *\nDisallow: /no")
    unreachable: dict[str, Answer] = {
        "error": reply(500, HTML),
        "hang": answers.hang,
        "reset": answers.reset,
    }
    for name, robots in unreachable.items():
        origin = web.site(f"robots-{name}.example", "/page")
        web.others[f"{origin}/robots.txt"] = robots
        web.page(f"{origin}/", page(target(name)), fetched=(False,))
        web.page(f"{origin}/page", page(), fetched=(False,))
    closing = web.site("closing.example", "/page")
    web.others[f"{closing}/robots.txt"] = answers.first(
        1, text(""), text("User-agent: *\nDisallow: /page")
    )
    web.page(
        f"{closing}/page",
        page(target("closing")),
        live=((target("closing"),), ()),
        lost={target("closing"): "page_dropped"},
        fetched=(True, False),
    )


def _secure(web: Web) -> None:
    """https, with certificates that are good and one that is not."""
    origin = web.site("secure.example", "/page", scheme="https")
    web.page(f"{origin}/page", page(target("secure")), live=((target("secure"),),))
    bad = web.site("untrusted.example", scheme="https")
    web.page(f"{bad}/", page(target("untrusted")), fetched=(False,))


def _traps(web: Web) -> None:
    """Ways without end."""
    web.seeds += [f"http://{host}/" for host in ENDLESS_HOSTS]
    for host in ENDLESS_HOSTS:
        web.page(f"http://{host}/", page("/2026/01/01" if host.startswith("cal") else "a/"))
    orders = ["&".join(order) for order in permutations(("a=1", "b=2", "c=3", "d=4"))]
    sorting = web.site("sorting.example", *(f"/list?{order}" for order in orders))
    for number, order in enumerate(orders):
        web.page(f"{sorting}/list?{order}", page(), fetched=(number == 0,))
    session = web.site(
        "session.example", "/one;jsessionid=A1", "/one;jsessionid=B2", "/two?sid=77&x=1"
    )
    web.page(f"{session}/one", page())
    web.page(f"{session}/two?x=1", page())


def _policy(web: Web) -> None:
    """Where the crawler must not go."""
    web.seeds += [f"http://www.{BLOCKED}/", METADATA]
    web.page(f"http://www.{BLOCKED}/", page(target("blocked")), fetched=(False,))
    web.page(METADATA, page(target("metadata")), fetched=(False,))
    origin = web.site("lures.example", "/to-metadata", "ftp://lures.example/x", "javascript:go()")
    web.page(f"{origin}/to-metadata", redirect(METADATA), live=((METADATA,),))


def _endless(url: str) -> Answer | None:
    """Each day of the calendar leads to the next, each directory to one beneath it."""
    _, _, host, *path = url.split("/")
    if host == "calendar.example" and path[-1].isdigit():
        year, month, day = (int(part) for part in path)
        number = (year * 12 + month - 1) * 28 + day
        following = f"/{number // 336}/{number // 28 % 12 + 1:02d}/{number % 28 + 1:02d}"
        return page(following)
    return page("a/") if host == "deep.example" and path[-1] == "" else None
