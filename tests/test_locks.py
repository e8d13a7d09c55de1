"""The lock files: one version of each package, the same in all of them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-bench.txt")


def pins(lock: str) -> list[tuple[str, str]]:
    """The packages that a lock file names, and their versions."""
    found = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE)
    assert found
    return [(name, version) for name, version in found]


@pytest.mark.parametrize("lock", LOCKS)
def test_each_package_has_one_version_on_every_python(lock: str) -> None:
    """Else what passes on one Python, type checks too, may fail on another."""
    names = [name for name, _ in pins(lock)]
    assert len(names) == len(set(names))


def test_each_lock_file_has_what_the_one_before_it_has() -> None:
    used, dev, bench = (set(pins(lock)) for lock in LOCKS)
    assert used < dev < bench
