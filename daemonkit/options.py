"""In words, what an option may be: for the page of options and for errors, so that both say the same; no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import msgspec

_HEAD = """# Options

Every daemon and the command line read `/etc/moorage/moorage.toml`; `--config` names another file. A missing file means
all defaults. An option or section that does not exist is an error.

This page is generated: `python -m daemonkit.config > docs/options.md`.
"""


def meta(annotation: Any) -> msgspec.Meta:
    """Return what an annotated type says about its values."""
    found = [part for part in get_args(annotation) if isinstance(part, msgspec.Meta)]
    return found[0] if found else msgspec.Meta()


def bounds(annotation: Any) -> str:
    """Return in words which values an option takes, as in `a whole number from 1 to 256`."""
    kind, limits = get_args(annotation)[0], meta(annotation)
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(f'"{value}"' for value in get_args(kind))
    between = f" from {limits.ge:g} to {limits.le:g}" if limits.ge is not None and limits.le is not None else ""
    unit = (limits.extra or {}).get("unit")
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}[kind] + between
    form = (limits.extra or {}).get("form")
    return str(form) if form else words + (f" ({unit})" if unit else "")


def sections(config: type[msgspec.Struct]) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """Yield the sections of a configuration: name and type."""
    for field in msgspec.structs.fields(config):
        yield field.name, field.type


def page(config: type[msgspec.Struct]) -> str:
    """Return the page of options."""
    parts = [_HEAD]
    for name, section in sections(config):
        parts.append(f"\n## [{name}]\n\n{(section.__doc__ or '').strip()}\n")
        parts.append("\n| option | default | may be | meaning |\n|---|---|---|---|\n")
        parts.extend(
            f"| `{field.name}` | `{msgspec.json.encode(field.default).decode()}` | {bounds(field.type)} "
            f"| {meta(field.type).description} |\n"
            for field in msgspec.structs.fields(section)
        )
    return "".join(parts)
