"""What commands print: JSON for programs, plain tables for people, and sizes and times as people read them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def echo_json(found: Any) -> None:
    """Print a dataclass, or a list of them, as JSON: keys are added, never renamed."""
    import msgspec

    plain = [dataclasses.asdict(one) for one in found] if isinstance(found, list | tuple) else dataclasses.asdict(found)
    click.echo(msgspec.json.format(msgspec.json.encode(plain, enc_hook=str), indent=2).decode())


def echo_table(columns: Sequence[str], rows: Sequence[Sequence[str]], nothing: str) -> None:
    """Print rows below their columns' names, or say that there is `nothing`."""
    for line in table(columns, rows) if rows else [nothing]:
        click.echo(line)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table; an empty cell is a dash."""
    shown = [tuple(columns), *(tuple(cell or "-" for cell in row) for row in rows)]
    widths = [max(len(row[at]) for row in shown) for at in range(len(columns))]
    for row in shown:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def bytes_(count: int | None) -> str:
    """Return a size in the largest unit that leaves at least 1, as in `1.5 GiB`; empty where it is not known."""
    if count is None:
        return ""
    size, unit = float(count), 0
    while size >= 1024 and unit < len(UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.0f} {UNITS[unit]}" if unit == 0 or size >= 100 or size == int(size) else f"{size:.1f} {UNITS[unit]}"


def duration(seconds: float) -> str:
    """Return a duration in its two largest units, as in `3 h 12 min`."""
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    whole, parts = int(seconds), list[str]()
    for name, size in units:
        if whole >= size or (name == "s" and not parts):
            parts.append(f"{whole // size} {name}")
            whole %= size
    return " ".join(parts[:2])
