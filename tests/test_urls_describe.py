"""The rows that describe URLs."""

from inlink.store.tables import URLS
from inlink.urls.canonical import sort_key, text_id, url_id
from inlink.urls.describe import UrlRow, describe


def test_the_fields_are_the_columns_of_the_table() -> None:
    assert list(UrlRow._fields) == URLS.names


def test_a_row() -> None:
    url = "https://user@www.shop.example.co.uk:8443/a?b"
    assert describe(url) == UrlRow(
        url_id=url_id(url),
        url=url,
        sort_key="uk,co,example,shop,www):8443/a?b https user",
        host="www.shop.example.co.uk",
        domain="example.co.uk",
        domain_id=text_id("example.co.uk"),
    )


def test_hosts_with_a_port_or_user_are_told_apart() -> None:
    urls = [
        f"{scheme}://{user}example.com{port}/"
        for scheme in ("http", "https")
        for user in ("", "a@", "a:b@")
        for port in ("", ":8080")
    ]
    rows = [describe(url) for url in urls]
    assert [row.sort_key for row in rows] == [sort_key(url) for url in urls]
    assert len({row.sort_key for row in rows}) == len({row.url_id for row in rows}) == len(urls)
    assert {row.host for row in rows} == {row.domain for row in rows} == {"example.com"}
    assert len({row.domain_id for row in rows}) == 1
