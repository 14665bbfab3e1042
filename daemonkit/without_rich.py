"""Imports structlog without rich, which it would load to draw traces that daemons never draw: 5 MB and 70 ms each.

Must be imported before structlog.  Who wants rich itself, as the command line does, imports it later as ever.
"""

from __future__ import annotations

import sys

if "rich" not in sys.modules and "structlog" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]  # so an import of it fails, see importlib's documentation
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules["rich"]
