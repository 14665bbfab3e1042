"""Options that every backend has, whatever its kind; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

TRASH = "trash"
OPTIONS: Mapping[str, str] = {
    TRASH: "how long removed volumes can be restored, such as 24h or 7d; as [volplugin] trash_for says if left out",
}
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
DURATION = re.compile(r"([1-9][0-9]{0,8})([smhdw])")
LONGEST = 3650 * 86400  # seconds: ten years


def own_options(options: Mapping[str, str]) -> dict[str, str]:
    """Return the options that are the kind's own."""
    return {key: text for key, text in options.items() if key not in OPTIONS}


def duration(text: str) -> float:
    """Return seconds.  Raises ValueError: it is no time, or is more than ten years."""
    found = DURATION.fullmatch(text)
    if found is None or (seconds := int(found[1]) * UNITS[found[2]]) > LONGEST:
        raise ValueError(f"{text!r} is not a time of 1s to 3650d: write a whole number with s, m, h, d or w")
    return seconds


def trash_for(options: Mapping[str, str], default: float) -> float:
    """Return for how many seconds removed volumes of a backend can be restored."""
    try:
        return duration(options[TRASH]) if TRASH in options else default
    except ValueError:  # only of a record that was not checked
        return default
