"""Makes what guests start from, where it is missing: `python -m lab.guest`, the target `guest` of the Makefile."""

from __future__ import annotations

import sys

from lab.command import LabError
from lab.guest.guest import booted
from lab.guest.image import image


def main() -> None:
    """Make it."""
    try:
        booted(image(tell=_tell), tell=_tell)
    except LabError as error:
        sys.exit(f"python -m lab.guest: {error}")


def _tell(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
