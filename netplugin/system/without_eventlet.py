"""Imports the poller of `ovs` without eventlet, which it takes where it finds it (os-ken installs it).

We patch nothing to green threads, so it would only cost: 20 MB, 0.2 s of the start, and a deprecation warning.
"""

import sys

_before = sys.modules.get("eventlet")
sys.modules["eventlet"] = None  # type: ignore[assignment]  # makes `import eventlet` fail (documented for sys.modules)
try:
    import ovs.poller  # noqa: F401
finally:
    if _before is None:
        del sys.modules["eventlet"]
    else:
        sys.modules["eventlet"] = _before
