"""Every kind of change between two visits, one story for each, with its expected backlinks.

A story visits pages and states the backlinks that are then true, with their dates and reasons,
according to the Backlinks API v1.0 and docs/contract.md.
"""

from collections.abc import Callable

from demo.model import Web
from demo.pages import Link, error, file, page, redirect

STORIES: list[Callable[[Web], None]] = []


def story(tell: Callable[[Web], None]) -> Callable[[Web], None]:
    """Add *tell* to the list of stories."""
    STORIES.append(tell)
    return tell


@story
def a_link_is_removed(web: Web) -> None:
    """One of two links is removed; the other stays. A third visit finds it still removed."""
    url = "https://soup.example/leek"
    flour = Link("https://flour.example/", "dark rye flour")
    stones = Link("https://www.bread.example/oven-stones", "a hot stone")
    first = web.visit(1, url, page("Leek soup with bread", flour, stones))
    second = web.visit(2, url, page("Leek soup with bread", stones))
    web.visit(3, url, page("Leek soup with bread", stones))
    web.backlink(url, flour.href, first, second, "link_removed", anchor="dark rye flour")
    web.backlink(url, stones.href, first, anchor="a hot stone")


@story
def a_link_comes_back(web: Web) -> None:
    """It is new again, and keeps the day on which it was first seen."""
    url = "https://soup.example/onion"
    cheese = Link("https://cheese.example/cave-ripening", "an old cheese")
    first = web.visit(1, url, page("Onion soup", cheese))
    second = web.visit(2, url, page("Onion soup, without"))
    third = web.visit(3, url, page("Onion soup", cheese))
    web.backlink(url, cheese.href, first, second, "link_removed", anchor="an old cheese")
    web.backlink(url, cheese.href, third, first_seen=first, anchor="an old cheese")


@story
def a_page_is_not_found(web: Web) -> None:
    """404 and 410 mean the same."""
    for path, status in (("pumpkin", 404), ("sorrel", 410)):
        url = f"https://soup.example/{path}"
        first = web.visit(
            1, url, page(f"A {path} soup", Link("https://garden.example/", "the garden"))
        )
        second = web.visit(2, url, error(status, "No such soup"))
        web.backlink(
            url, "https://garden.example/", first, second, "page_not_found", anchor="the garden"
        )


@story
def a_page_is_new(web: Web) -> None:
    """The second crawl finds a page that the first did not know."""
    url = "https://soup.example/barley"
    found = web.visit(2, url, page("Barley soup", Link("https://honey.example/", "honey")))
    web.backlink(url, "https://honey.example/", found, anchor="honey")


@story
def a_page_moves_to_another_site(web: Web) -> None:
    """The links on it are lost, and the redirect is a backlink of the new place."""
    url, new = "https://oldoven.example/stones", "https://www.bread.example/oven-stones"
    first = web.visit(1, url, page("Which stones", Link("https://www.kiln.example/", "a kiln")))
    second = web.visit(2, url, redirect(new))
    web.backlink(url, "https://www.kiln.example/", first, second, "redirect", anchor="a kiln")
    web.backlink(url, new, second, element="location")


@story
def a_site_moves_to_https(web: Web) -> None:
    """A redirect inside a domain is not a backlink; the links are found again at the new URL."""
    old, new = "http://tandem.example/tours", "https://tandem.example/tours"
    bicycles = Link("https://bicycles.example/", "slow bicycles")
    first = web.visit(1, old, page("Tours", bicycles))
    second = web.visit(2, old, redirect(new, 308))
    found = web.visit(2, new, page("Tours", bicycles))
    web.backlink(old, bicycles.href, first, second, "redirect", anchor="slow bicycles")
    web.backlink(new, bicycles.href, found, anchor="slow bicycles")


@story
def redirects_make_a_chain(web: Web) -> None:
    """Each URL redirects to all later ones; the chain exists once its last hop has been seen."""
    a, b, c, d = (
        "https://shortlink.example/k7",
        "https://moved.test/knots",
        "https://tangle.example/",
        "https://knots.example/",
    )
    ab = web.visit(1, a, redirect(b, 302))
    bc = web.visit(1, b, redirect(c))
    cd = web.visit(2, c, redirect(d))
    web.visit(2, a, redirect(b, 302))
    web.backlink(a, b, ab, element="location")
    web.backlink(b, c, bc, element="location")
    web.backlink(a, c, bc, element="location")
    web.backlink(c, d, cd, element="location")
    web.backlink(b, d, cd, element="location")
    web.backlink(a, d, cd, element="location")


@story
def a_chain_goes_over_https(web: Web) -> None:
    """A hop inside the target's domain makes no backlink, but the chain over it does."""
    a, b, c = "https://shortlink.example/ch", "http://chess.example/x", "https://chess.example/x"
    ab = web.visit(1, a, redirect(b, 307))
    bc = web.visit(1, b, redirect(c))
    web.backlink(a, b, ab, element="location")
    web.backlink(a, c, bc, element="location")


@story
def a_redirect_is_removed(web: Web) -> None:
    """Its backlink and the chain over it are lost, and the links of the page in its place found."""
    a, b, c = (
        "https://shortlink.example/loom",
        "https://weaving.example/start",
        "https://www.looms.example/",
    )
    ab = web.visit(1, a, redirect(b))
    bc = web.visit(1, b, redirect(c))
    web.visit(2, a, redirect(b))
    back = web.visit(2, b, page("We weave again", Link("https://flour.example/", "size for warps")))
    web.backlink(a, b, ab, element="location")
    web.backlink(b, c, bc, back, "link_removed", element="location")
    web.backlink(a, c, bc, back, "link_removed", element="location")
    web.backlink(b, "https://flour.example/", back, anchor="size for warps")


@story
def a_redirect_goes_elsewhere(web: Web) -> None:
    """The redirect that was a backlink no longer exists: the link is removed, another is found."""
    url, old, new = (
        "https://shortlink.example/wax",
        "https://honey.example/wax",
        "https://honey.example/swarm-season",
    )
    first = web.visit(1, url, redirect(old))
    second = web.visit(2, url, redirect(new))
    web.backlink(url, old, first, second, "link_removed", element="location")
    web.backlink(url, new, second, element="location")


@story
def a_redirect_breaks(web: Web) -> None:
    """A redirect without a location, in place of a page and in place of a redirect."""
    url, target = "https://weaving.example/dyes", "https://www.looms.example/madder-dye"
    first = web.visit(1, url, page("Dyes", Link(target, "madder")))
    second = web.visit(2, url, redirect(None, 302))
    web.backlink(url, target, first, second, "broken_redirect", anchor="madder")
    url = "https://weaving.example/old-dyes"
    first = web.visit(1, url, redirect(target))
    second = web.visit(2, url, redirect(None))
    web.backlink(url, target, first, second, "broken_redirect", element="location")


@story
def a_page_asks_not_to_be_indexed(web: Web) -> None:
    """In a meta element, a header, or to our bot by name; directives for others do not count."""
    target = "https://lenses.example/"
    noindex: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
        "meta": ('<meta name="robots" content="noindex, follow">', ()),
        "header": ("", (("X-Robots-Tag", "noindex"),)),
        "by-name": ('<meta name="InlinkBot" content="noindex">', ()),
    }
    for path, (head, headers) in noindex.items():
        url = f"https://darkroom.example/{path}"
        answer = page(f"Darkroom, {path}", Link(target, "lenses"))
        first = web.visit(1, url, answer)
        hidden = page(f"Darkroom, {path}", Link(target, "lenses"), head=head, headers=headers)
        second = web.visit(2, url, hidden)
        web.backlink(url, target, first, second, "noindex", anchor="lenses")
    url = "https://darkroom.example/other-bot"
    first = web.visit(1, url, page("Open darkroom", Link(target, "lenses")))
    for_others = (("X-Robots-Tag", "otherbot: noindex"),)
    web.visit(2, url, page("Open darkroom", Link(target, "lenses"), headers=for_others))
    web.backlink(url, target, first, anchor="lenses")


@story
def a_page_may_be_indexed_again(web: Web) -> None:
    """Links that noindex removed are new again when it is removed."""
    url, target = "https://darkroom.example/again", "https://radio.example/"
    link = Link(target, "the radio")
    first = web.visit(1, url, page("Red light", link))
    second = web.visit(2, url, page("Red light", link, head='<meta name=robots content="none">'))
    third = web.visit(3, url, page("Red light", link))
    web.backlink(url, target, first, second, "noindex", anchor="the radio")
    web.backlink(url, target, third, first_seen=first, anchor="the radio")


@story
def a_canonical_moves_to_another_domain(web: Web) -> None:
    """The links are lost, and the canonical link is itself a backlink."""
    url, canonical = "https://reprints.example/mosses", "https://botany.example.edu/mosses"
    link = Link("https://www.seeds.example/", "seeds")
    own = f'<link rel="canonical" href="{url}">'
    first = web.visit(1, url, page("Mosses, reprinted", link, head=own))
    theirs = f'<link rel="canonical" href="{canonical}">'
    second = web.visit(2, url, page("Mosses, reprinted", link, head=theirs))
    web.backlink(url, link.href, first, second, "not_canonical", anchor="seeds")
    web.backlink(url, canonical, second, element="canonical")


@story
def a_canonical_moves_inside_the_domain(web: Web) -> None:
    """The links are lost and none is found; a change of only www. and a slash is not a move."""
    link = Link("https://garden.example/compost", "compost")
    url = "https://reprints.example/compost?page=2"
    first = web.visit(1, url, page("Compost, page 2", link))
    head = '<link rel="canonical" href="/compost">'
    second = web.visit(2, url, page("Compost, page 2", link, head=head))
    web.backlink(url, link.href, first, second, "not_canonical", anchor="compost")
    url = "https://reprints.example/peat"
    first = web.visit(1, url, page("Peat", link))
    head = '<link rel="canonical" href="http://www.reprints.example/peat/">'
    web.visit(2, url, page("Peat", link, head=head))
    web.backlink(url, link.href, first, anchor="compost")


@story
def a_canonical_is_taken_back(web: Web) -> None:
    """The canonical was in a header; without it the page's own links count."""
    url, canonical = "https://reprints.example/ferns", "https://botany.example.edu/herbarium"
    link = Link("https://www.seeds.example/saving-seed", "spores")
    header = ("Link", f'<{canonical}>; rel="canonical"')
    first = web.visit(1, url, page("Ferns", link, headers=(header,)))
    second = web.visit(2, url, page("Ferns", link))
    web.backlink(url, canonical, first, second, "link_removed", element="canonical")
    web.backlink(url, link.href, second, anchor="spores")


@story
def a_server_does_not_answer(web: Web) -> None:
    """One failed visit loses no links, a second one in a row does; a server error is a failure."""
    target = "https://www.trains.test/"
    link = Link(target, "branch lines")
    url = "https://halt.example/timetable"
    first = web.visit(1, url, page("The halt", link))
    web.fail(2, url, "dns")
    second = web.fail(2, url, "timeout", days=3)
    third = web.visit(3, url, page("The halt", link))
    web.backlink(url, target, first, second, "crawl_error", anchor="branch lines")
    web.backlink(url, target, third, first_seen=first, anchor="branch lines")
    url = "https://halt.example/buffet"
    first = web.visit(1, url, page("The buffet", link))
    web.visit(2, url, error(500, "Out of soup"))
    second = web.fail(2, url, "refused", days=3)
    web.backlink(url, target, first, second, "crawl_error", anchor="branch lines")
    url = "https://halt.example/tickets"
    first = web.visit(1, url, page("Tickets", link))
    web.fail(2, url, "timeout")
    web.visit(2, url, page("Tickets", link), days=3)
    web.backlink(url, target, first, anchor="branch lines")


@story
def a_page_is_dropped(web: Web) -> None:
    """Its robots.txt disallows us, or we no longer want it."""
    for url, cause in (
        ("https://halt.example/members", "robots"),
        ("https://casino.halt.example/", "blocked"),
    ):
        first = web.visit(1, url, page("Members only", Link("https://weather.test/", "weather")))
        second = web.fail(2, url, cause)
        web.backlink(url, "https://weather.test/", first, second, "page_dropped", anchor="weather")


@story
def a_page_becomes_a_file(web: Web) -> None:
    """Still 200, but no longer HTML."""
    url, target = "https://score.example/march", "https://radio.example/morse-practice"
    first = web.visit(1, url, page("A march", Link(target, "in Morse")))
    second = web.visit(2, url, file("application/pdf", b"%PDF-1.4\n%%EOF\n"))
    web.backlink(url, target, first, second, "other", anchor="in Morse")


@story
def a_link_changes(web: Web) -> None:
    """A link with another anchor, nofollow or image is the same backlink, as it was last seen."""
    url = "https://score.example/links"
    chess, knots, honey = (
        "http://chess.example/",
        "https://knots.example/",
        "https://honey.example/",
    )
    icon = "https://score.example/bee.svg"
    first = web.visit(
        1,
        url,
        page(
            "Where else to look",
            Link(chess, "chess"),
            Link(knots, "knots", "nofollow"),
            Link(honey, "honey"),
        ),
    )
    web.visit(
        2,
        url,
        page(
            "Where else to look",
            Link(chess, "village chess club"),
            Link(knots, "knots"),
            Link(honey, image="/bee.svg", alt="a bee"),
        ),
    )
    web.backlink(url, chess, first, anchor="village chess club")
    web.backlink(url, knots, first, anchor="knots")
    web.backlink(url, honey, first, anchor="a bee", image_source=icon)


@story
def a_page_makes_its_links_nofollow(web: Web) -> None:
    """The robots directive applies to every link of the page."""
    url = "https://score.example/guestbook"
    link = Link("https://bicycles.example/old-lamps", "lamps")
    first = web.visit(1, url, page("Guest book", link))
    web.visit(2, url, page("Guest book", link, head='<meta name="robots" content="nofollow">'))
    web.backlink(url, link.href, first, anchor="lamps", nofollow=True)


@story
def a_page_links_twice(web: Web) -> None:
    """Links to one URL are one backlink: with the first anchor, and nofollow only if all are."""
    url = "https://www.score.example/twice"
    first = web.visit(
        1,
        url,
        page(
            "Twice",
            Link("//radio.example/valve-sets#a", "", "nofollow"),
            Link("https://RADIO.example:443/valve-sets", "warm valves"),
            Link("https://radio.example/shop/../valve-sets#b", "valves"),
            Link("https://honey.example/wax", "wax", "nofollow"),
            Link("https://honey.example/wax", "more wax", "sponsored nofollow"),
            Link("mailto:band@score.example", "write to us"),
            Link("https://score.example/links", "our links"),
        ),
    )
    web.backlink(url, "https://radio.example/valve-sets", first, anchor="warm valves")
    web.backlink(url, "https://honey.example/wax", first, anchor="wax", nofollow=True)


@story
def a_page_is_in_another_script(web: Web) -> None:
    """An old encoding, an international host, and a base for relative links."""
    url, base = "https://papier.example/stra%C3%9Fe", "https://xn--bcher-kva.example/"
    first = web.visit(
        1,
        url,
        page(
            "Straße der Bücher",
            Link("endpapers", "Vorsätze"),
            Link("https://bücher.example/", "Bücher"),
            head='<base href="https://bücher.example/shop">',
            charset="windows-1252",
        ),
    )
    web.backlink(url, f"{base}endpapers", first, anchor="Vorsätze")
    web.backlink(url, base, first, anchor="Bücher")


@story
def a_page_is_seen_unchanged(web: Web) -> None:
    """A revisit keeps the page's links; the next change has the date of the visit that saw it."""
    url, target = "https://papier.example/glue", "https://cheese.example/whey"
    first = web.visit(1, url, page("Casein glue", Link(target, "whey")))
    web.repeat(2, url, first)
    third = web.visit(3, url, page("Casein glue"))
    web.backlink(url, target, first, third, "link_removed", anchor="whey")


@story
def a_page_is_seen_at_another_url(web: Web) -> None:
    """A revisit that refers to another URL had the same links there."""
    url, twin = "https://papier.example/marbling", "https://www.papier.example/marbling"
    link = Link("https://xn--bcher-kva.example/bookbinding", "bookbinding")
    first = web.visit(1, url, page("Marbled paper", link))
    second = web.repeat(2, twin, first)
    web.backlink(url, link.href, first, anchor="bookbinding")
    web.backlink(twin, link.href, second, anchor="bookbinding")


@story
def a_directory_lists_them_all(web: Web) -> None:
    """The last story: an unchanging page that links to every page of the other stories."""
    url = "https://directory.example.org/"
    told = sorted(
        {backlink.source for backlink in web.backlinks if _is_of_a_story(backlink.source)}
    )
    first = web.visit(1, url, page("Directory", *(Link(source, source) for source in told)))
    web.repeat(2, url, first)
    for source in told:
        web.backlink(url, source, first, anchor=source)


def _is_of_a_story(url: str) -> bool:
    hosts = ("soup", "halt", "score", "papier", "darkroom", "reprints", "weaving")
    return any(f"{host}.example/" in url for host in hosts)
