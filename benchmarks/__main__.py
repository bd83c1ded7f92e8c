"""Every benchmark in turn, then what they say about the targets.

Nothing else should run meanwhile: about a quarter of an hour on two cores.

    python -m benchmarks [--quick] [NAME ...]
"""

import argparse
import subprocess
import sys
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A module of this package, and how it is run."""

    name: str
    module: str
    quick: tuple[str, ...] = ()
    """Options for a first impression."""
    says: str = "target"
    """What the lines hold that belong into the table."""


_SMALL_MONTH: Final = ("--events", "200000", "--lines", "40000", "--rounds", "1")
BENCHMARKS: Final = (
    Benchmark("parse", "parse_invocation_logs", ("--records", "2000"), says="x json"),
    Benchmark("ingest", "ingest", ("--rows", "20000", "--rounds", "2")),
    Benchmark("memory", "backfill_memory", ("--rows", "5000")),
    Benchmark("summary", "summary", ("--events", "500000", "--rounds", "2")),
    Benchmark("reconcile", "reconcile", _SMALL_MONTH, says="÷"),
    Benchmark("rest", "rest", ("--seconds", "0.2")),
    Benchmark("graphql", "graphql_view", says="of bare"),
    Benchmark("organization", "organization_sync", ("--accounts", "50"), says="floor"),
)


def run(benchmark: Benchmark, *, quick: bool) -> list[str]:
    """Show its output as it comes; the lines for the table."""
    print(f"\n== {benchmark.name}: python -m benchmarks.{benchmark.module}", flush=True)
    command = [sys.executable, "-u", "-m", f"benchmarks.{benchmark.module}"]
    told = []
    with subprocess.Popen(
        [*command, *(benchmark.quick if quick else ())], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if benchmark.says in line:
                told.append(line.rstrip())
    # A missed target is no failure of the run: the table says so.
    return told or [f"nothing measured (exit {process.returncode})"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [benchmark.name for benchmark in BENCHMARKS]
    parser.add_argument("names", nargs="*", help=f"of {', '.join(names)}; all without")
    parser.add_argument("--quick", action="store_true", help="small sizes, for a first impression")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(names):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    table = {
        benchmark.name: run(benchmark, quick=chosen.quick)
        for benchmark in BENCHMARKS
        if not chosen.names or benchmark.name in chosen.names
    }
    print("\n== against the targets")
    for name, lines in table.items():
        for line in lines:
            print(f"{name:8} {line}")


if __name__ == "__main__":
    main()
