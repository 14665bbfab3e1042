"""How figures are taken and printed: interleaved rounds, quantiles, ratios, and the noise of the machine."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

Case: TypeAlias = Callable[[], float]  # a piece of work that returns its figure

RESULTS = Path(__file__).parent / "results"


def quantile(values: Sequence[float], q: float) -> float:
    """Return the value that a share `q` (0..1) of `values` does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def interleaved(cases: Mapping[str, Case], rounds: int) -> dict[str, list[float]]:
    """Run every case once a round, in turn, so that the machine's moods meet all alike; return the figures."""
    found: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds):
        names = list(cases)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            found[name].append(cases[name]())
    return found


def timed(act: Callable[[], object]) -> Case:
    """Return a case: the milliseconds `act` takes."""

    def run() -> float:
        began = time.perf_counter()
        act()
        return (time.perf_counter() - began) * 1000

    return run


def noise() -> float:
    """Return how unquiet the machine is: p90 over median of a fixed piece of work, 1.0 where nothing else runs."""
    case = timed(lambda: sum(i * i for i in range(200_000)))
    values = [case() for _ in range(30)]
    return quantile(values, 0.9) / statistics.median(values)


def show(title: str, found: Mapping[str, Sequence[float]], against: str, unit: str = "ms") -> None:
    """Print a table: each case's quantiles, and their ratios to those of the case `against`."""
    print(f"\n{title} ({len(found[against])} rounds, interleaved)")
    print(f"  {'':34}{'min':>9}{'p50':>9}{'p99':>9}   p50 ratio  p99 ratio")
    base = found[against]
    for name, values in found.items():
        p50, p99 = statistics.median(values), quantile(values, 0.99)
        ratios = f"{p50 / statistics.median(base):9.2f}x {p99 / quantile(base, 0.99):9.2f}x"
        print(f"  {name:34}{min(values):9.1f}{p50:9.1f}{p99:9.1f} {ratios}   {unit}")


def keep(name: str, found: object) -> None:
    """Keep the raw figures beside the printed ones."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1))
