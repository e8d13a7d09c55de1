"""Builds that die, builds that meet, and generations that get old."""

import filecmp
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inlink.store.layout import Layout, locked
from tests.observations import write_batch
from tests.patience import PATIENCE
from tests.test_fold import made_visits

KILLS = 12


def command(directory: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "inlink", *arguments, "--data", str(directory)]


def run(directory: Path, *arguments: str) -> str:
    done = subprocess.run(
        command(directory, *arguments), check=True, capture_output=True, text=True, timeout=PATIENCE
    )
    return done.stdout


def write_batches(directory: Path) -> None:
    visits = made_visits(11)
    write_batch(directory, "batch-0", visits[::2])
    write_batch(directory, "batch-1", visits[1::2])


def files(directory: Path, pattern: str) -> list[Path]:
    return sorted(path.relative_to(directory) for path in directory.glob(pattern))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory: Path = tmp_path_factory.mktemp("undisturbed")
    write_batches(directory)
    run(directory, "build")
    return directory


def test_a_build_that_is_killed_again_and_again_goes_on(undisturbed: Path, tmp_path: Path) -> None:
    """Every attempt lives a little longer than the one before, until one comes to the end."""
    write_batches(tmp_path)
    done_before: set[str] = set()
    for attempt in range(KILLS):
        process = subprocess.Popen(command(tmp_path, "build"), stderr=subprocess.DEVNULL)
        time.sleep(1.5 + 0.8 * attempt)
        if process.poll() is not None:
            break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        if (tmp_path / "building" / "generation.json").exists():
            continue  # all that is left is to publish
        status = json.loads(run(tmp_path, "status", "--json"))
        done = set(status["building"]["steps_done"]) if status["building"] else done_before
        assert done >= done_before, "a resumed build threw away finished steps"
        done_before = done
    run(tmp_path, "build")
    assert_same_segments(undisturbed, tmp_path)


def test_an_interrupted_build_leaves_the_old_generation_serving(tmp_path: Path) -> None:
    write_batches(tmp_path)
    run(tmp_path, "build")
    write_batch(tmp_path, "batch-2", made_visits(12))
    with subprocess.Popen(
        command(tmp_path, "build"), stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()  # the first step is done
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(timeout=PATIENCE) != 0
    status = json.loads(run(tmp_path, "status", "--json"))
    assert [generation["number"] for generation in status["generations"]] == [1]
    assert status["building"]["number"] == 2
    assert not status["building"]["running"]
    assert "Generation 2" in run(tmp_path, "build")


def assert_same_segments(one: Path, other: Path, but: frozenset[str] = frozenset()) -> None:
    """The same files, with the same bytes unless *but* has their name."""
    here = one / "generations" / "00000001" / "segments"
    there = other / "generations" / "00000001" / "segments"
    names = files(here, "**/*.*")
    assert names
    assert names == files(there, "**/*.*")
    differ = filecmp.cmpfiles(here, there, names, shallow=False)[1]
    assert {Path(name).name for name in differ} <= but


WHERE_IT_IS_TOLD = frozenset(("places.arrow", "batch_names.arrow", "segments.json"))
"""What says in which batch a visit is told, or how many batches that are."""


def test_batches_in_another_order_and_split_give_the_same_bytes(
    undisturbed: Path, tmp_path: Path
) -> None:
    visits = made_visits(11)
    write_batch(tmp_path, "only", [*visits[100:], *visits[:110]])
    run(tmp_path, "build")
    assert_same_segments(undisturbed, tmp_path, WHERE_IT_IS_TOLD)


def test_two_builds_at_once_are_refused(tmp_path: Path) -> None:
    with locked(tmp_path / "build.lock"):
        done = subprocess.run(
            command(tmp_path, "build"), capture_output=True, text=True, check=False
        )
    assert done.returncode == 1
    assert "in use by another process" in done.stderr


def test_old_generations_go_when_no_server_uses_them(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"keep_generations": 1}')
    visits = made_visits(13)
    layout = Layout(tmp_path)
    write_batch(tmp_path, "batch-0", visits[:50])
    run(tmp_path, "build")
    with locked(layout.generation(1) / "in-use.lock", shared=True):
        write_batch(tmp_path, "batch-1", visits[50:60])
        run(tmp_path, "build")
        assert layout.generation_numbers() == [1, 2]
    write_batch(tmp_path, "batch-2", visits[60:70])
    run(tmp_path, "build")
    assert layout.generation_numbers() == [3]
    assert layout.current_number() == 3


def test_a_bad_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"keep_generation": 1}')
    done = subprocess.run(command(tmp_path, "build"), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "keep_generation" in done.stderr
    assert "keep_generations" in done.stderr


SORTS_NUMBERS = """
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from inlink.fold.workspace import Workspace

directory = Path(sys.argv[1])
numbers = pa.table({"number": np.random.default_rng(1).integers(0, 1 << 62, 5_000_000)})
pq.write_table(numbers, directory / "numbers.parquet")
workspace = Workspace(directory, "1GB", lambda _, share: print(share))
made = workspace.read([directory / "numbers.parquet"], numbers.schema)
workspace.step("sorted", made.order_by("number"))
"""


def test_a_long_step_tells_its_share(tmp_path: Path) -> None:
    """In a script: by itself DuckDB measures only at a prompt, and in a worker of pytest."""
    script = tmp_path / "script.py"
    script.write_text(SORTS_NUMBERS)
    command = [sys.executable, str(script), str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    shares = [float(line) for line in told.stdout.splitlines() if line != "None"]
    assert any(0 < share < 1 for share in shares), told.stdout
    assert told.stderr == ""
