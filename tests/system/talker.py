"""One TCP connection that is never idle: run as a program, it answers (`serve PORT`) or asks (`ask ADDRESS PORT`).

Who asks sends a number every 20 ms and prints it when it comes back: the last line says how far the connection has
come.  It uses one connection, and ends with it.
"""

import contextlib
import socket
import sys
import threading
import time

EVERY = 0.02  # seconds between two numbers


def serve(port: int) -> None:
    """Send back what comes, on any number of connections."""
    with socket.create_server(("", port)) as server:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_echo, args=(connection,), daemon=True).start()


def _echo(connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        while data := connection.recv(4096):
            connection.sendall(data)


def ask(address: str, port: int) -> None:
    """Talk until the connection ends."""
    with socket.create_connection((address, port)) as connection:
        threading.Thread(target=_count, args=(connection,), daemon=True).start()
        for number in connection.makefile():
            sys.stdout.write(number)
            sys.stdout.flush()


def _count(connection: socket.socket) -> None:
    number = 0
    with contextlib.suppress(OSError):
        while True:
            number += 1
            connection.sendall(f"{number}\n".encode())
            time.sleep(EVERY)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        ask(sys.argv[2], int(sys.argv[3]))
