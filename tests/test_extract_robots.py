"""Robots directives and the Link field: the examples of their specifications."""

import datetime as dt

import pytest

from inlink.extract.robots import directives_for, is_robots_name, normalised
from inlink.web.link_field import canonical_link


# The fields are the examples of Google's page on the robots meta tag and X-Robots-Tag.
@pytest.mark.parametrize(
    ("metas", "fields", "expected"),
    [
        ([], ["noindex"], "noindex"),
        ([], ["noimageindex", "unavailable_after: 25 Jun 2010 15:00:00 PST"],
         "noimageindex, unavailable_after: 25 jun 2010 15:00:00 pst"),
        ([], ["noimageindex, unavailable_after: 25 Jun 2010 15:00:00 PST"],
         "noimageindex, unavailable_after: 25 jun 2010 15:00:00 pst"),
        ([], ["googlebot: nofollow", "otherbot: noindex, nofollow"],
         "googlebot: nofollow, otherbot: noindex, otherbot: nofollow"),
        ([], ["googlebot: nofollow, otherbot: noindex"],
         "googlebot: nofollow, otherbot: noindex"),
        ([], ["unavailable_after: Saturday, 25-Jun-10 15:00:00 UTC, noindex"],
         "unavailable_after: saturday, 25-jun-10 15:00:00 utc, noindex"),
        ([], ["max-snippet:20, max-image-preview: large"],
         "max-snippet:20, max-image-preview: large"),
        ([("robots", "NOINDEX, nofollow")], ["nofollow"], "noindex, nofollow"),
        ([("ROBOTS", "noindex nofollow")], [], "noindex, nofollow"),
        ([("googlebot", "noindex"), ("robots", "all")], [], "googlebot: noindex, all"),
        ([("robots", " , ,")], [""], ""),
        ([("robots", "max-snippet:-1,max-video-preview:-1")], [],
         "max-snippet:-1, max-video-preview:-1"),
    ],
)  # fmt: skip
def test_normalised(metas: list[tuple[str, str]], fields: list[str], expected: str) -> None:
    assert normalised(metas, fields) == expected


@pytest.mark.parametrize(
    ("robots", "noindex", "nofollow"),
    [
        ("", False, False),
        ("noindex", True, False),
        ("none", True, True),
        ("nofollow", False, True),
        ("googlebot: noindex", False, False),
        ("inlinkbot: noindex", True, False),
        ("inlinkbot: none", True, True),
        ("index, follow", False, False),
        ("max-snippet:20, nofollow", False, True),
        ("noindexed", False, False),
    ],
)
def test_what_directives_say_to_our_bot(robots: str, noindex: bool, nofollow: bool) -> None:
    assert directives_for(robots, "InlinkBot") == (noindex, nofollow, None)


JUNE_25 = dt.datetime(2010, 6, 25, tzinfo=dt.UTC)
AT_15 = JUNE_25.replace(hour=15)


# RFC 822, RFC 850, ISO 8601 and asctime, each as its standard writes it; Google's examples.
@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Fri, 25 Jun 2010 15:00:00 GMT", AT_15),
        ("25 Jun 10 15:00 UT", AT_15),
        ("25 Jun 2010 15:00:00 PST", AT_15 + dt.timedelta(hours=8)),
        ("25 Jun 2010 15:00:00 EDT", AT_15 + dt.timedelta(hours=4)),
        ("25 Jun 2010 15:00:00 +0200", AT_15 - dt.timedelta(hours=2)),
        ("Friday, 25-Jun-10 15:00:00 UTC", AT_15),
        ("25-Jun-2010 15:00:00 EST", AT_15 + dt.timedelta(hours=5)),
        ("Fri Jun 25 15:00:00 2010", AT_15),
        ("2010-06-25T15:00:00Z", AT_15),
        ("2010-06-25T15:00:00.000+02:00", AT_15 - dt.timedelta(hours=2)),
        ("20100625T150000Z", AT_15),
        ("2010-06-25 15:00", AT_15),
        ("2010-06-25", JUNE_25),
        ("25 Jun 2010", JUNE_25),
        ("June 25, 2010", JUNE_25),
        ("Thu, 01 Jan 1970 00:00:00 GMT", dt.datetime(1970, 1, 1, tzinfo=dt.UTC)),
        ("", None),
        ("never", None),
        ("32 Jun 2010 15:00:00 GMT", None),
        ("2010-13-25", None),
        ("99999999999", None),
        ("25 Jun 2010 15:00:00 +9999", None),
    ],
)
def test_the_last_day_of_a_page(date: str, expected: dt.datetime | None) -> None:
    own = f"unavailable_after: {date}"
    for metas, fields in (
        ([("robots", own)], []),
        ([("InlinkBot", f"noarchive, {own}, nosnippet")], []),
        ([], [own]),
        ([], [f"noarchive, {own}, max-snippet:20"]),
        ([], [f"inlinkbot: {own}", "otherbot: unavailable_after: Sunday, 25-Jun-00 15:00:00 UTC"]),
        ([("googlebot", "unavailable_after: 2000-01-01")], [f"inlinkbot: {own}, noarchive"]),
    ):
        last = directives_for(normalised(metas, fields), "InlinkBot").unavailable_after
        assert last == (None if expected is None else round(expected.timestamp() * 1_000_000))


def test_of_two_last_days_the_first() -> None:
    fields = ["unavailable_after: Friday, 25-Jun-10 15:00:00 UTC, unavailable_after: 2010-06-26"]
    last = directives_for(normalised([], fields), "InlinkBot").unavailable_after
    assert last == round(AT_15.timestamp() * 1_000_000)


def test_names_of_bots() -> None:
    for name in (
        "robots",
        "googlebot",
        "googlebot-news",
        "bingbot",
        "slurp",
        "baiduspider",
        "ours",
    ):
        assert is_robots_name(name, "ours")
    for name in ("description", "viewport", "author", "google-site-verification", "generator"):
        assert not is_robots_name(name, "ours")


# RFC 8288, section 3.5, and what its grammar allows.
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (['<http://example.com/TheBook/chapter2>; rel="previous"; title="previous chapter"'], None),
        (['</>; rel="http://example.net/foo"', "</x>; rel=canonical"], "/x"),
        (['</TheBook/chapter2>; rel="previous", </c>; rel="start CANONICAL"'], "/c"),
        (['<a,b;c>; title="x, <y>; rel=canonical"; rel="canonical"'], "a,b;c"),
        (['<a>; title="\\"; rel=\\"canonical"'], None),
        (['<a> ;REL = canonical'], "a"),
        (['<a>; rel=next; rel=canonical'], None),  # only the first rel counts
        (['<a>; rel=canonical; anchor="#part"'], None),  # not about this page
        (["a; rel=canonical", "<unclosed; rel=canonical", "", ",,,"], None),
        (["<a>; rel=preload; as=style; nopush,<b>;rel=canonical"], "b"),
    ],
)  # fmt: skip
def test_canonical_link(values: list[str], expected: str | None) -> None:
    assert canonical_link(values) == expected
