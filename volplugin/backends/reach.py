"""Whether servers answer: all are asked at once, and none is waited for longer than the others."""

from __future__ import annotations

import concurrent.futures
import errno
import os
import socket
from collections.abc import Iterable, Mapping

from volplugin.backends.kind import Server

CONNECT_WITHIN = 2.0  # seconds for a server to answer
NAME_WITHIN = 4.0  # seconds for its name and its answer


def problems(servers: Iterable[Server]) -> Mapping[Server, str]:
    """Return for each server why it cannot be used, with what to do; an empty text for one that answers."""
    asked = list(servers)
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=max(1, len(asked)))
    answers = {server: pool.submit(_problem, server) for server in asked}
    concurrent.futures.wait(answers.values(), NAME_WITHIN)
    pool.shutdown(wait=False, cancel_futures=True)  # who still waits for a name server is left to it
    return {
        server: answer.result() if answer.done() else "its name was not resolved in time: look at this host's DNS"
        for server, answer in answers.items()
    }


def _problem(server: Server) -> str:
    port = f"TCP port {server.port}"
    try:
        socket.create_connection((server.address, server.port), CONNECT_WITHIN).close()
    except socket.gaierror:
        return "its name is not known on this host: put it into DNS or /etc/hosts"
    except TimeoutError:
        return f"no answer on {port} within {CONNECT_WITHIN:g} s: it is off, or a firewall or cut wire is between"
    except ConnectionRefusedError:
        return f"nothing listens on its {port}: start its service"
    except OSError as error:
        far = error.errno in {errno.EHOSTUNREACH, errno.ENETUNREACH}
        why = os.strerror(error.errno) if error.errno else str(error)
        return f"{why}: it is off, or not connected" if far else why
    return ""
