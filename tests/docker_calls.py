"""Calls of a plugin's application as dockerd makes them, without a socket between."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

from flask import Flask

# What WSGI asks for (PEP 3333), as gunicorn makes it of a request; Flask's test client takes longer than the call.
_ENVIRON: dict[str, Any] = {
    "REQUEST_METHOD": "POST",
    "SCRIPT_NAME": "",
    "QUERY_STRING": "",
    "SERVER_NAME": "",
    "SERVER_PORT": "",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_HOST": "plugin.moby.localhost",
    "HTTP_ACCEPT": "application/vnd.docker.plugins.v1.2+json",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
}


class Calls:
    """What has an application that is called."""

    app: Flask

    def post(self, method: str, body: object = None) -> dict[str, Any]:
        """Call as dockerd does: POST, no Content-Type, status 200, a JSON object back.  Bytes go as they are."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode() + b"\n"
        statuses: list[str] = []
        environ = _ENVIRON | {
            "PATH_INFO": f"/{method}",
            "CONTENT_LENGTH": str(len(data)),
            "wsgi.input": io.BytesIO(data),
        }
        answer = b"".join(self.app(environ, lambda status, _headers: statuses.append(status)))  # type: ignore[arg-type, func-returns-value]
        assert ["200 OK"] == statuses, (method, statuses, answer)
        found = json.loads(answer)
        assert isinstance(found, dict)
        return found

    def call(self, method: str, **body: Any) -> dict[str, Any]:
        """Make a call that must succeed."""
        answer = self.post(method, body)
        assert "Err" not in answer, (method, body, answer)
        return answer

    def refused(self, method: str, body: object = None) -> str:
        """Make a call that must fail; return its text, which must stand in both keys that Docker reads."""
        answer = self.post(method, body)
        assert {"Err", "Error"} == set(answer), (method, body, answer)
        assert answer["Err"] == answer["Error"]
        assert answer["Err"]
        return str(answer["Err"])
