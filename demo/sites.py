"""The quiet majority: sites whose pages do not change, linking to each other.

A seeded generator chooses who links to whom, so that every run makes the same web.
"""

import random
from dataclasses import dataclass
from datetime import datetime

from demo.model import Web
from demo.pages import Link, page

SEED = 20260907


@dataclass(frozen=True, slots=True)
class Site:
    """A site with a home page and an article for each topic."""

    home: str
    name: str
    topics: tuple[str, ...]
    domain: str
    """The registrable domain; links between sites of one domain are not backlinks."""


def _site(host: str, name: str, *topics: str, domain: str = "", scheme: str = "https") -> Site:
    return Site(f"{scheme}://{host}/", name, topics, domain or host.removeprefix("www."))


SITES = (
    _site("www.bread.example", "The Bread Diary", "Rye starter", "Oven stones", "Malt loaf"),
    _site("flour.example", "Hill Mill Flour", "Spelt", "Dark rye", "Milling dates"),
    _site("www.kiln.example", "Kiln and Clay", "First firing", "Ash glaze", "Cracked pots"),
    _site("blog.kiln.example", "Kiln Notes", "Cones", "Wood firing", domain="kiln.example"),
    _site("bicycles.example", "Slow Bicycles", "True a wheel", "Winter tyres", "Old lamps"),
    _site("www.kayak.test", "Kayak Club", "Tide tables", "Spray skirts", "Club trips"),
    _site(
        "library.example.edu", "Town Library", "Local maps", "Opening hours", domain="example.edu"
    ),
    _site("botany.example.edu", "Botany School", "Mosses", "Herbarium", domain="example.edu"),
    _site("garden.example", "Small Gardens", "Compost", "Slug fences", "Espalier pears"),
    _site("www.seeds.example", "Seed Exchange", "Bean trials", "Saving seed", "Heirloom kale"),
    _site("radio.example", "Shortwave Radio", "Wire aerials", "Morse practice", "Valve sets"),
    _site("lenses.example", "Second-hand Lenses", "Fungus", "Focus rings", "Mount adapters"),
    _site("www.trains.test", "Branch Lines", "Signal boxes", "Timetables", "Steam weekend"),
    _site("cheese.example", "Farm Cheese", "Rennet", "Cave ripening", "Whey"),
    _site("chess.example", "Village Chess", "Endgames", "Club ladder", scheme="http"),
    _site("www.looms.example", "Loom and Thread", "Warp weights", "Madder dye", "Selvedge"),
    _site("honey.example", "Honey Yard", "Swarm season", "Heather honey", "Wax"),
    _site("knots.example", "Knots", "Bowline", "Sheet bend", "Splices"),
    _site("weather.test", "Back Yard Weather", "Rain gauges", "Frost hollows"),
    _site("xn--bcher-kva.example", "Bücher", "Bookbinding", "Endpapers"),
)

RELS = ("", "", "", "", "", "noopener", "nofollow", "ugc nofollow")


def add_quiet_sites(web: Web) -> None:
    """Two visits to every page of every site; the second gets the same page, or a 304."""
    choose = random.Random(SEED)
    for site in SITES:
        _add_home(web, site)
        for number, topic in enumerate(site.topics):
            late = (
                number == 2 and choose.random() < 0.5
            )  # an article that is new in the second crawl
            _add_article(web, site, topic, choose, late=late)


def _add_home(web: Web, site: Site) -> None:
    links = (Link(_path(topic), topic) for topic in site.topics)
    answer = page(site.name, *links)
    first = web.visit(1, site.home, answer)
    web.repeat(2, site.home, first)


def _add_article(web: Web, site: Site, topic: str, choose: random.Random, *, late: bool) -> None:
    others = [other for other in SITES if other.domain != site.domain]
    links = [_link(other, choose) for other in choose.sample(others, choose.randint(2, 5))]
    answer = page(f"{topic} - {site.name}", Link("/", site.name), *links)
    url = site.home + _path(topic).removeprefix("/")
    found = web.visit(2 if late else 1, url, answer)
    if not late:
        web.visit(2, url, answer)
    for link in links:
        _state(web, url, link, found)


def _link(site: Site, choose: random.Random) -> Link:
    """A link to a site: to its home page or to an article, sometimes as its logo."""
    rel = choose.choice(RELS)
    if choose.random() < 0.15:
        return Link(site.home, "", rel, f"{site.home}logo.png", site.name)
    if choose.random() < 0.5:
        return Link(site.home, site.name, rel)
    topic = choose.choice(site.topics)
    return Link(site.home + _path(topic).removeprefix("/"), topic, rel)


def _state(web: Web, source: str, link: Link, found: datetime) -> None:
    web.backlink(
        source,
        link.href,
        found,
        anchor=link.text or link.alt,
        nofollow="nofollow" in link.rel,
        image_source=link.image,
    )


def _path(topic: str) -> str:
    return "/" + topic.lower().replace(" ", "-")
