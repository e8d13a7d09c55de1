"""The sample requests of the specification, over HTTP, against an index that holds what they show.

The expected answers are those that the specification prints under "Sample Response" of each
command: names, order of names, types, nulls and values.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.serving import Row, Server, make_current, serving, write_generation

BACKLINKS = """
{
  "backlinks": [
    {
      "url_from": "https://www.adrianorbai.com/4-nume-grele/",
      "url_to": "http://www.seopowersuite.com/",
      "title": "4 nume grele in marketing online",
      "anchor": "SEO Power Suite",
      "alt": null,
      "nofollow": false,
      "image": false,
      "image_source": null,
      "inlink_rank": 0,
      "domain_inlink_rank": 13,
      "first_seen": "2019-10-18",
      "last_visited": "2019-10-18"
    },
    {
      "url_from": "https://automizy.com/blog/15-saas-marketing-tools-effective/",
      "url_to": "https://www.seopowersuite.com/",
      "title": "15+ Must-Have SaaS Marketing Tools to be more Effective",
      "anchor": "Rank Tracker",
      "alt": null,
      "nofollow": false,
      "image": false,
      "image_source": null,
      "inlink_rank": 0,
      "domain_inlink_rank": 67,
      "first_seen": "2019-10-18",
      "last_visited": "2019-10-18"
    }
  ]
}
"""

RAW_BACKLINKS = """
[
  {
    "url_from": "https://www.evemilano.com/guide-seo/strumenti-seo/",
    "url_to": "http://www.seopowersuite.com/",
    "title": "Strumenti SEO gratuiti e premium",
    "anchor": "Seopowersuite",
    "alt": null,
    "nofollow": true,
    "image": false,
    "image_source": null,
    "inlink_rank": 0,
    "domain_inlink_rank": 0,
    "first_seen": "2018-12-10",
    "last_visited": "2018-12-10"
  },
  {
    "url_from": "https://www.evemilano.com/corsi/salotto-seo/",
    "url_to": "http://www.seopowersuite.com/website-auditor/",
    "title": "Salotto SEO, Consulenza SEO ad ore",
    "anchor": "Website Auditor",
    "alt": null,
    "nofollow": false,
    "image": false,
    "image_source": null,
    "inlink_rank": 0,
    "domain_inlink_rank": 0,
    "first_seen": "2018-12-10",
    "last_visited": "2018-12-10"
  },
  {
    "url_from": "https://www.digitalparc.com/blog/11-killer-seo-tools-will-boost-productivity/",
    "url_to": "https://www.seopowersuite.com/",
    "title": "11 Killer SEO Tools That Will Boost Your Productivity | DigitalParc",
    "anchor": "SEO PowerSuite",
    "alt": null,
    "nofollow": false,
    "image": false,
    "image_source": null,
    "inlink_rank": 0,
    "domain_inlink_rank": 0,
    "first_seen": "2018-12-08",
    "last_visited": "2018-12-08"
  }
]
"""

REFDOMAINS = """
{
  "refdomains": [
    {
      "refdomain": "frashmi.net",
      "backlinks": 1,
      "dofollow_backlinks": 1,
      "first_seen": "2018-11-05",
      "domain_inlink_rank": 76
    },
    {
      "refdomain": "martech.tools",
      "backlinks": 12,
      "dofollow_backlinks": 5,
      "first_seen": "2010-01-09",
      "domain_inlink_rank": 38
    }
  ]
}
"""

METRICS = """
{
  "metrics": [
    {
      "target": "seopowersuite.com",
      "backlinks": 20,
      "refdomains": 10,
      "subnets": 4,
      "ips": 8,
      "nofollow_backlinks": 0,
      "dofollow_backlinks": 20,
      "edu_backlinks": 0,
      "gov_backlinks": 2
    }
  ]
}
"""

RANKS = """
{
  "pages": [
    {
      "url": "https://www.seopowersite.com/",
      "inlink_rank": 63,
      "domain_inlink_rank": 68
    },
    {
      "url": "https://www.link-assistant.com/rank-tracker/",
      "inlink_rank": 64,
      "domain_inlink_rank": 82
    }
  ]
}
"""


def shown_rows() -> list[Row]:
    """The rows of the samples of get-backlinks and get-raw-backlinks."""
    shown = json.loads(BACKLINKS)["backlinks"] + json.loads(RAW_BACKLINKS)
    return [
        Row(
            row["url_from"],
            row["url_to"],
            row["first_seen"],
            row["last_visited"],
            title=row["title"],
            anchor=row["anchor"],
            nofollow=row["nofollow"],
        )
        for row in shown
    ]


def counted_rows() -> list[Row]:
    """What the sample of get-metrics counts: 20 links of 10 hosts, 8 addresses in 4 subnets."""
    hosts = ["agency.gov", *(f"blog{number}.example" for number in range(9))]
    return [
        Row(
            f"https://{host}/{page}",
            "https://seopowersuite.com/",
            "2017-01-01",
            ip=f"198.51.{number % 4}.{number % 8}",
        )
        for number, host in enumerate(hosts)
        for page in range(2)
    ]


def referring_rows() -> list[Row]:
    """The domains of the sample of get-refdomains, linking to another site than the rest does."""
    return [
        Row("https://frashmi.net/", "https://link-assistant.com/", "2018-11-05"),
        *(
            Row(
                f"http://martech.tools/{page}",
                f"http://www.link-assistant.com/{page}",
                f"2010-01-{page + 9:02}",
                nofollow=page >= 5,
            )
            for page in range(12)
        ),
    ]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("samples")
    rows = [*shown_rows(), *counted_rows(), *referring_rows()]
    ranked = {
        "https://www.seopowersuite.com/": 63,
        "https://www.seopowersite.com/": 63,
        "https://www.link-assistant.com/rank-tracker/": 64,
    }
    domains = {
        "adrianorbai.com": 13,
        "automizy.com": 67,
        "digitalparc.com": 0,
        "evemilano.com": 0,
        "frashmi.net": 76,
        "martech.tools": 38,
        "seopowersuite.com": 68,
        "seopowersite.com": 68,
        "link-assistant.com": 82,
    }
    zero = {row.source: 0 for row in shown_rows()}
    write_generation(data, 1, rows, zero | ranked, domains)
    make_current(data, 1)
    with serving(data) as server:
        yield server


def same(answered: bytes, expected: str) -> bool:
    """Equal, the order of names included."""
    return json.dumps(json.loads(answered)) == json.dumps(json.loads(expected))


def test_get_metrics(server: Server) -> None:
    status, body = server.raw("apikey=KEY&target=seopowersuite.com&mode=host&output=json")
    assert status == 200
    assert same(body, METRICS)


def test_get_metrics_by_post(server: Server) -> None:
    answer = server.post(
        "get-metrics",
        {
            "target": ["https://www.seopowersite.com/", "https://www.link-assistant.com/"],
            "mode": "host",
        },
        output="json",
    )
    assert answer.status_code == 200
    names = list(json.loads(METRICS)["metrics"][0])
    first, second = answer.json()["metrics"]
    assert list(first) == list(second) == names
    assert list(first.values()) == ["https://www.seopowersite.com/", 0, 0, 0, 0, 0, 0, 0, 0]
    assert list(second.values()) == ["https://www.link-assistant.com/", 12, 1, 0, 0, 7, 5, 0, 0]


def test_get_inlink_rank(server: Server) -> None:
    status, body = server.raw(
        "apikey=KEY&target=https://www.seopowersuite.com&output=json", "get-inlink-rank"
    )
    assert status == 200
    page = {"url": "https://www.seopowersuite.com", "inlink_rank": 63, "domain_inlink_rank": 68}
    assert same(body, json.dumps({"pages": [page]}))


def test_get_inlink_rank_by_post(server: Server) -> None:
    answer = server.post(
        "get-inlink-rank",
        {
            "target": [
                "https://www.seopowersite.com/",
                "https://www.link-assistant.com/rank-tracker/",
            ]
        },
        output="json",
    )
    assert same(answer.content, RANKS)


def test_get_backlinks(server: Server) -> None:
    status, body = server.raw(
        "apikey=KEY&target=https://seopowersuite.com&mode=domain&limit=2"
        "&order_by=date_found&output=json&per_domain=1",
        "get-backlinks",
    )
    assert status == 200
    assert sorted_by_source(json.loads(body)) == sorted_by_source(json.loads(BACKLINKS))


def test_get_backlinks_by_post(server: Server) -> None:
    answer = server.post(
        "get-backlinks",
        {
            "target": "https://www.seopowersuite.com/",
            "order_by": "date_found",
            "mode": "domain",
            "limit": 2,
            "per_domain": 1,
        },
        output="json",
    )
    assert sorted_by_source(answer.json()) == sorted_by_source(json.loads(BACKLINKS))


def test_get_refdomains(server: Server) -> None:
    status, body = server.raw(
        "apikey=KEY&target=link-assistant.com&mode=domain&limit=2&output=json", "get-refdomains"
    )
    assert status == 200
    assert same(body, REFDOMAINS)


def test_get_refdomains_by_post(server: Server) -> None:
    answer = server.post(
        "get-refdomains", {"target": "link-assistant.com", "mode": "domain", "limit": 2}
    )
    assert same(answer.content, REFDOMAINS)


def test_get_raw_backlinks(server: Server) -> None:
    """The sample's flow, over the host that its rows point to; www. has two rows more, of 2019."""
    rows: list[dict[str, Any]] = []
    query, pages = "apiKey=KEY&target=www.seopowersuite.com&limit=2&output=json", 0
    cursor = ""
    while True:
        status, body = server.raw(query + cursor, "get-raw-backlinks")
        assert status == 200
        answer = json.loads(body)
        pages += 1
        rows += answer["backlinks"]
        if "next" not in answer:
            break
        assert list(answer) == ["backlinks", "next"]
        assert len(answer["backlinks"]) == 2
        cursor = f"&next={answer['next']}"
    assert list(answer) == ["backlinks"]
    assert pages == 3
    expected = json.loads(RAW_BACKLINKS) + json.loads(BACKLINKS)["backlinks"]
    assert texts(rows) == texts(expected)


def sorted_by_source(answer: Any) -> list[str]:
    """The backlinks of one date, which the specification leaves in any order."""
    assert list(answer) == ["backlinks"]
    return texts(answer["backlinks"])


def texts(rows: list[dict[str, Any]]) -> list[str]:
    """Rows as JSON, order of names included, in an order of their own."""
    return sorted(json.dumps(row) for row in rows)
