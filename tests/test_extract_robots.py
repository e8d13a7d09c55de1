"""Robots directives and the Link field: the examples of their specifications."""

import pytest

from inlink.extract.headers import canonical_link
from inlink.extract.robots import directives_for, is_robots_name, normalised


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
