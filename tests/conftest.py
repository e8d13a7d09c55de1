"""What every test may use."""

import os
import signal
from pathlib import Path

import pytest

# A shell that runs the tests in the background has them ignore Ctrl-C, and so would every command
# that they start to interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(__file__).parents[2] / "shared" / "data"


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
