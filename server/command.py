"""`nodegraph serve`."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

Nodes = Annotated[
    list[Path] | None,
    typer.Option(help="A file of nodes, or a folder of such; again for more.", show_default=False),
]


Token = Annotated[
    str | None,
    typer.Option(
        envvar="NODEGRAPH_TOKEN",
        help="Whoever sends it is let in; one is made.",
        show_default=False,
    ),
]
Socket = Annotated[
    Path | None,
    typer.Option(help="Listen at a socket of one's own, without a token.", show_default=False),
]
Names = Annotated[
    list[str] | None,
    typer.Option(help="Another name of this server; again for more.", show_default=False),
]
Devices = Annotated[
    str,
    typer.Option(
        help="Devices, with commas: cpu, or cuda:0,cuda:1; auto takes every card, else cpu."
    ),
]
State = Annotated[
    Path | None,
    typer.Option(
        help="The folder of its database and files; one for each workspace.", show_default=False
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Run again what a stop interrupted.")]
Warm = Annotated[
    float, typer.Option(min=0, help="Seconds for which an idle worker keeps its models.")
]
Longest = Annotated[
    float | None,
    typer.Option(min=1, help="The longest that a job may take.", show_default=False),
]
CardShare = Annotated[
    float | None,
    typer.Option(
        min=0.05,
        max=1,
        help="The share of a card's memory that a worker may take.",
        show_default=False,
    ),
]
On = Annotated[
    str | None,
    typer.Option(
        help="A Ray cluster for jobs that ask for it: ray (this machine), ray://HOST:PORT.",
        show_default=False,
    ),
]
Quota = Annotated[
    float, typer.Option(min=0.01, help="GiB of files; beyond it those that no job names go.")
]
History = Annotated[int, typer.Option(min=1, help="Jobs that are kept when they ended.")]


def serve(
    folder: Annotated[Path, typer.Argument(help="The folder of graph files.")] = Path(),
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8765,
    token: Token = None,
    socket: Socket = None,
    allow_host: Names = None,
    workers: Devices = "auto",
    nodes: Nodes = None,
    state: State = None,
    open: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    resume: Resume = False,
    root_path: Annotated[str, typer.Option(help="The prefix of a proxy: /nodegraph.")] = "",
    keep_warm: Warm = 900.0,
    job_seconds: Longest = None,
    vram_limit: CardShare = None,
    disk_quota: Quota = 10.0,
    on: On = None,
    history: History = 2_000,
) -> None:
    """Serve graphs to browsers and programs: check, edit, queue, run, watch."""
    from server.settings import LOOPBACK, Limits, Settings

    folder, place = _folders(folder, state)
    settings = Settings(
        folder,
        place,
        None if socket else _token(place, token),
        tuple(dict.fromkeys((*LOOPBACK, host, *(allow_host or ())))),
        _devices(workers),
        tuple(path.resolve() for path in nodes or ()),
        root_path.rstrip("/"),
        resume,
        keep_warm,
        job_seconds,
        vram_limit,
        Limits(kept=int(disk_quota * 2**30), history=history),
        on,
    )
    _serve(settings, host, port, socket, open)


def _folders(folder: Path, state: Path | None) -> tuple[Path, Path]:
    """The real folder of the graphs, and that of the server's state, which lies elsewhere."""
    from server.settings import state_folder

    if not folder.is_dir():
        _fail(f"there is no folder '{folder}'; name the folder of your graphs")
    folder = folder.resolve()
    place = (state or state_folder(folder)).resolve()
    if place.is_relative_to(folder):
        _fail(f"the state folder {place} lies in the workspace; name one elsewhere with --state")
    return folder, place


def _token(state: Path, given: str | None) -> str:
    from server.security import kept_token

    if given is not None and len(given) < 16:
        _fail("a token of fewer than 16 characters can be guessed; leave it out, and one is made")
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        return given or kept_token(state)
    except OSError as error:
        _fail(f"{state} cannot be written: {error.strerror}; name another folder with --state")


def _devices(names: str) -> tuple[str, ...]:
    """The devices of the workers; `auto` is every card that there is, else the CPU."""
    from nodegraph.base.devices import every_device

    wanted = [name.strip() for name in names.split(",")]
    try:
        every = () if set(wanted) == {"cpu"} else every_device()
    except ValueError as error:
        _fail(str(error))
    here = ("cpu", *every, *(name.partition(":")[0] for name in every))
    for name in wanted:
        if name not in ("auto", *here):
            there = ", ".join(dict.fromkeys(here))
            _fail(f"there is no device '{name}' here; there are: {there}")
    taken = (every if name == "auto" else (name,) for name in wanted)
    return tuple(dict.fromkeys(device for devices in taken for device in devices))


def _serve(settings: Any, host: str, port: int, path: Path | None, open: bool) -> None:
    import uvicorn

    from nodegraph.base.diagnostics import GraphError
    from nodegraph.base.workspace import NoNodes
    from nodegraph.executors.tasks import NoPlace
    from server.app import application
    from server.connections import Bounded
    from server.database import NoDatabase
    from server.listening import listening

    listener = listening(host, port, path)
    os.chdir(settings.folder)
    try:
        app = application(settings)
    except (GraphError, NoNodes, NoDatabase, NoPlace) as error:
        _fail(str(error))
    address = _address(host, listener, path) + settings.root_path
    door = (
        f"{address}/enter?ticket={app.state.services.tickets.make()}" if settings.token else address
    )
    typer.echo(f"nodegraph serves {settings.folder}; state in {settings.state}", err=True)
    typer.echo(f"open once: {door}" if settings.token else f"listening at {path}", err=True)
    if settings.token:
        typer.echo(f"token for programs: {settings.state / 'token'}", err=True)
    if open and settings.token:
        typer.launch(door)
    config = uvicorn.Config(
        app,
        log_level="warning",
        timeout_graceful_shutdown=5,
        server_header=False,
        proxy_headers=True,
        http=Bounded,
    )
    with suppress(KeyboardInterrupt):  # the server has stopped in order when the signal comes again
        uvicorn.Server(config).run(sockets=[listener])


def _address(host: str, listener: Any, path: Path | None) -> str:
    if path is not None:
        return "http://localhost"
    number = listener.getsockname()[1]
    return f"http://{f'[{host}]' if ':' in host else host}:{number}"


def _fail(message: str) -> NoReturn:
    typer.secho(message, fg="red", err=True)
    sys.stderr.flush()
    raise typer.Exit(2)
