"""`Retry-After`: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3 and #section-5.6.7."""

import datetime as dt

import pytest

from inlink.crawl.politeness import MAX_PAUSE, asked_pause, pause_before_retry
from tests.crawl_web.hostile import RETRY_AFTER
from tests.test_crawl_robots import fetched

FORMS = ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y")


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_a_date_is_read(form: str) -> None:
    at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=600)
    pause = asked_pause(fetched(503, retry_after=at.strftime(form)))
    assert pause is not None
    assert 500 < pause <= 600


@pytest.mark.parametrize("form", FORMS)
def test_a_date_that_is_past_asks_for_no_pause(form: str) -> None:
    at = dt.datetime(2015, 10, 21, 7, 28, tzinfo=dt.UTC)
    assert asked_pause(fetched(429, retry_after=at.strftime(form))) == 0.0


def test_seconds_are_read_however_many() -> None:
    assert asked_pause(fetched(429, retry_after=" 17 ")) == 17.0
    assert asked_pause(fetched(429, retry_after="0")) == 0.0
    for many in ("9" * 5000, "999999999999"):
        asked = asked_pause(fetched(503, retry_after=many))
        assert asked is not None
        assert asked > MAX_PAUSE


@pytest.mark.parametrize("name", RETRY_AFTER)
def test_what_is_neither_leaves_it_to_our_own_pause(name: str) -> None:
    busy = fetched(503, retry_after=RETRY_AFTER[name].decode())
    assert asked_pause(busy) is None
    assert pause_before_retry(busy, 1, 2.0) == 30.0
