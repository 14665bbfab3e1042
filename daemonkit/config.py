"""The configuration: one TOML file for all daemons of a host, every option with a default and a meaning.

Errors name the file and the line, and say what may stand there.
"""

from __future__ import annotations

import difflib
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from daemonkit.options import bounds, page, sections
from daemonkit.settings import Config, Section

__all__ = ["Config", "ConfigError", "load", "parse"]

DEFAULT_PATH = Path("/etc/moorage/moorage.toml")


class ConfigError(Exception):
    """The configuration cannot be used; the text names file, line and cure."""


def load(path: Path | None = None) -> Config:
    """Read the configuration; of the default file's options that are not there, and of a missing one, all defaults.

    Raises:
        ConfigError: `path` was given and cannot be read, or what stands in the file is wrong.

    """
    file = path or DEFAULT_PATH
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        if path is None:
            return Config()
        raise ConfigError(f"{file}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return parse(text, str(file))


def parse(text: str, file: str) -> Config:
    """Return the configuration that stands in `text`; `file` is named in errors.

    Raises:
        ConfigError: it is not TOML, or an option is unknown, of a wrong type or out of bounds.

    """
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        end = f"line {max(1, len(text.splitlines()))}"
        raise ConfigError(_syntax(str(error).replace("end of document", end), file)) from error
    lines, known = _lines(text), dict(sections(Config))
    filled: dict[str, Section] = {}
    for name, options in given.items():
        if name not in known:
            raise ConfigError(f"{file}:{lines.get((name,), 1)}: unknown section [{name}]{_nearest(name, known)}")
        if not isinstance(options, dict):
            raise ConfigError(f"{file}:{lines.get((name,), 1)}: {name} must be a section: write [{name}]")
        filled[name] = _section(known[name], name, options, file, lines)
    return Config(**filled)  # type: ignore[arg-type]  # each has the type of its field


def _section(
    kind: type[msgspec.Struct], name: str, options: dict[str, Any], file: str, lines: dict[tuple[str, ...], int]
) -> Any:
    known = {field.name: field for field in msgspec.structs.fields(kind)}
    for key, value in options.items():
        at = f"{file}:{lines.get((name, key)) or lines.get((name,), 1)}"
        if key not in known:
            raise ConfigError(f"{at}: unknown option '{key}' in [{name}]{_nearest(key, known)}")
        try:
            msgspec.convert(value, known[key].type)
        except msgspec.ValidationError as error:
            wanted = bounds(known[key].type)
            raise ConfigError(f"{at}: option '{key}' in [{name}] is {value!r} but must be {wanted}") from error
    return msgspec.convert(options, kind)


def _nearest(word: str, known: dict[str, Any]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean '{near[0]}'?" if near else f"; there are: {', '.join(known)}"


def _syntax(error: str, file: str) -> str:
    """Say a TOML error in our form; tomllib ends its text with `(at line 3, column 5)`."""
    found = re.fullmatch(r"(.*) \(at line (\d+)(?:, column \d+)?\)", error, re.DOTALL)
    return f"{file}:{found[2]}: not TOML: {found[1]}" if found else f"{file}: not TOML: {error}"


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """Return where sections and options stand.

    tomllib does not tell, so the text is looked through for the usual forms; what stands inside an inline table is
    found at the line of the table.
    """
    found: dict[tuple[str, ...], int] = {}
    section: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if head := re.match(r"\s*\[+\s*([^]#]+?)\s*\]", line):
            section = _dotted(head[1])
            found.setdefault(section, number)
        elif option := re.match(r"\s*([^=#]+?)\s*=", line):
            path = section + _dotted(option[1])
            for length in range(1, len(path) + 1):
                found.setdefault(path[:length], number)
    return found


def _dotted(name: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in name.split("."))


if __name__ == "__main__":  # writes the page of options
    sys.stdout.write(page(Config))
