"""What every test may use."""

import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from demo.server import Server

    from tests.crawl_site import Site

# A test is right or wrong, not slow: machines that run it are busy with other things.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")

# A shell that runs the tests in the background has them ignore Ctrl-C, and so would every command
# that they start to interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Begun first, longest first: else one processor works on the last of them while others are idle.
LONGEST = (
    *("test_main_job.py", "test_fold_rank_history.py", "test_fold_job.py", "test_api_errors.py"),
    *("test_crawl_web.py", "test_run.py", "test_demo.py", "test_export_serve.py"),
    *("test_crawl_kill.py", "test_fold_revisits.py", "test_cases.py", "test_crawl_hostile.py"),
    *("test_conservation.py", "test_fold.py", "test_fold_history.py", "test_recrawl.py"),
    *("test_ingest.py", "test_api_parameters.py", "test_serve_accounts.py", "test_serve.py"),
)

SHARED = Path(__file__).parents[2] / "shared" / "data"


def pytest_configure(config: pytest.Config) -> None:
    """pytest-xdist would begin with the modules that have most tests, which are short ones."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest modules first; all else stays in its order."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))
    name_apart(items)


def name_apart(items: list[pytest.Item]) -> None:
    """Give each test an id of its own: of several with one id, pytest-xdist runs only the first.

    Those that Schemathesis makes of one function differ in their names, but not in their ids.
    """
    tests = Counter(item.nodeid for item in items)
    for item in items:
        if tests[item.nodeid] > 1 and item.parent is not None:
            item._id = item.parent.id.child(item.name)
    shared = [name for name, count in Counter(item.nodeid for item in items).items() if count > 1]
    if shared:
        raise pytest.UsageError(f"several tests have the id {shared[0]}")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real crawls and published vectors that lies beside a checkout.

    A checkout without it skips what needs it; under CI it has to be there.
    """
    if SHARED.exists():
        return SHARED
    if os.environ.get("CI"):
        pytest.fail(f"under CI the test data has to be at {SHARED}")
    pytest.skip("the test data (../shared/data) is not beside this checkout")


@pytest.fixture(scope="session")
def cases(shared: Path) -> Path:
    """The folder of small inputs that went wrong once, beside that of the data."""
    return shared.parent / "cases"


@pytest.fixture(scope="module")
def crawl_server() -> "Iterator[Server]":
    """A server on loopback for the tests of a module; each says what it answers (``web``)."""
    import trustme
    from demo.server import Server, serving

    with serving(Server(lambda url, headers: None, trustme.CA())) as running:
        yield running


@pytest.fixture
def site(crawl_server: "Server", tmp_path: Path) -> "Site":
    """A site on that server, and an empty data directory to crawl it into."""
    from tests.crawl_site import Site

    return Site(crawl_server, tmp_path)


@pytest.fixture(scope="session")
def browser() -> str:
    """Chromium's program; under CI it has to be there."""
    names = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")
    for name in names:
        if found := shutil.which(name):
            return found
    if os.environ.get("CI"):
        pytest.fail(f"under CI there has to be one of {', '.join(names)}")
    pytest.skip("there is no Chromium (Debian: apt-get install chromium)")


@pytest.fixture(scope="session")
def new_database() -> Iterator[Callable[[], str]]:
    """Makes a database on a PostgreSQL server, which is started when a test first asks for it."""
    from tests.databases import postgresql  # most tests need none of its imports

    with postgresql() as new:
        yield new
