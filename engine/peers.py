"""End the processes of one run together: if one dies, or the launcher does, the others leave within seconds.

Every process holds a connection to process 0; the system closes a dead process's connections at once, and the probes of
TCP notice a machine that is gone. Nothing here touches Paddle: its collectives may hang or fail meanwhile.
"""

import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress

SECONDS_TO_LEAVE = 8  # from the loss of the launcher to the end of this process, come what may
GRACE = 1.0  # for a process that ends by itself, with a line of its own
GOODBYE = b"bye"
_open: list[socket.socket] = []  # this process's ends of the connections; a data worker closes its copies
_leaving = threading.Event()


def _close_in_child() -> None:
    for connection in _open:
        connection.close()
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)


def end_with_launcher() -> None:
    """Save and leave when the launcher is gone, and leave without where that takes too long."""
    launcher = os.getppid()

    def wait() -> None:
        while os.getppid() == launcher:
            time.sleep(0.5)
        print(f"the launcher (process {launcher}) is gone; this process ends", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(SECONDS_TO_LEAVE)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def listen(world: int) -> int:
    """Wait in process 0 for the others, on the address they know it by; returns the port."""
    server = socket.create_server((_main_host(), 0), backlog=world)
    threading.Thread(target=_serve, args=(server, world), daemon=True).start()
    return server.getsockname()[1]


def watch(rank: int, world: int, port: int) -> None:
    """Connect to process 0, whose port is known, and leave when it says that a process is gone, or is gone itself."""
    if rank == 0:
        return
    connection = socket.create_connection((_main_host(), port), timeout=60)
    connection.sendall(bytes([rank // 256, rank % 256]))
    _keep(connection)

    def wait() -> None:
        said = _rest(connection)
        if said != GOODBYE:
            _leave(said.decode() or "0", world)

    threading.Thread(target=wait, daemon=True).start()


def say_goodbye() -> None:
    """This process ends as it should."""
    _leaving.set()
    for connection in _open:
        with suppress(OSError):  # gone already
            connection.sendall(GOODBYE)


def _main_host():
    return os.environ["PADDLE_TRAINER_ENDPOINTS"].split(",")[0].rsplit(":", 1)[0]


def _keep(connection):
    """Blocking from here on, with probes that find a machine without power in about eight seconds."""
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 4), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 2)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    _open.append(connection)


def _serve(server, world):
    """One thread for each of the others: when it is gone without a goodbye, tell the rest and leave."""
    for _ in range(world - 1):
        connection, _ = server.accept()
        rank = int.from_bytes(connection.recv(2), "big")
        _keep(connection)
        threading.Thread(target=_wait_for, args=(connection, rank, world), daemon=True).start()
    server.close()


def _wait_for(connection, rank, world):
    if _rest(connection) == GOODBYE:
        return
    for other in _open:
        with suppress(OSError):
            other.sendall(str(rank).encode())
            other.shutdown(socket.SHUT_WR)
    _leave(str(rank), world)


def _rest(connection):
    """All that is said until the other end closes."""
    said = b""
    try:
        while part := connection.recv(16):
            said += part
            if said == GOODBYE:
                break
    except OSError:
        pass
    return said


def _leave(rank, world):
    time.sleep(GRACE)
    if _leaving.is_set():
        return
    line = f"error: process {rank} of {world} has ended; this one ends too. --resume goes on from the newest checkpoint"
    print(line, file=sys.stderr, flush=True)
    os._exit(1)
