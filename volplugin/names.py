"""What volumes and backends may be called; names come from users unchecked, and end in paths and records."""

from __future__ import annotations

import re

from daemonkit.errors import BadRequest

# At least two characters: Docker reads the `c` of `-v c:/data` as a Windows drive (moby issue 34415).
_PLAIN = r"[A-Za-z0-9][A-Za-z0-9_.-]{1,127}"
TENANT = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}"
VOLUME = re.compile(rf"(?:(?P<tenant>{TENANT})/)?(?P<plain>{_PLAIN})")
BACKEND = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


def check_volume(name: str) -> re.Match[str]:
    """Return the parts of a volume's name.

    Raises:
        BadRequest: it cannot be one.

    """
    if (found := VOLUME.fullmatch(name)) is None:
        shown = ascii(name) if len(name) <= 40 else f"{ascii(name[:40])[:-1]}...'"
        raise BadRequest(
            f"a volume cannot be called {shown}: 2 to 128 letters, digits, '_', '.' and '-', the first a letter or "
            "digit, and maybe TENANT/ before it"
        )
    return found
