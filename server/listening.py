"""The socket that a server listens at."""

import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

import typer

BACKLOG = 2048
"""Callers that wait to be answered."""


def listening(host: str, port: int, path: Path | None) -> socket.socket:
    """A bound socket: of a port, or of a path that its owner alone may open. Ends the program where it cannot be had."""
    try:
        return _at_path(path) if path is not None else _at_port(host, port)
    except OSError as error:
        where = path if path is not None else f"{host}:{port}"
        mend = "" if path is not None else "; --port 0 takes a free one"
        typer.secho(
            f"cannot listen at {where}: {error.strerror or error}{mend}", fg="red", err=True
        )
        raise typer.Exit(2) from None


def _at_port(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return _listens(listener)


def _at_path(path: Path) -> socket.socket:
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    return _listens(listener)


def _listens(listener: socket.socket) -> socket.socket:
    """Who calls while the server begins waits, and is not refused."""
    listener.listen(BACKLOG)
    return listener
