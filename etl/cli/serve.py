"""Verbs that serve: mirror serve."""

from pathlib import Path
from typing import Annotated

import typer

mirror_app = typer.Typer(help="Stand in for the publishers.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.add_typer(mirror_app, name="mirror")


@mirror_app.command("serve")
def serve_mirror(
    folder: Annotated[Path, typer.Argument(help="Folder laid out by publisher's address, with its index.csv.")],
    port: Annotated[int, typer.Option("--port", help="Port on the loopback address; any that is free by default.")] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            help="Misbehave, may be repeated: NAME, NAME:FIRST (only the first requests of an address), NAME@TEXT "
            "(only addresses that contain it) or NAME:FIRST@TEXT. A wrong name lists those there are.",
        ),
    ] = None,
) -> None:
    """Serve a folder of publishers' files over HTTP until interrupted, honestly or with faults."""
    from etl.mirror import Fault, MirrorServer, serve_forever

    server = MirrorServer(folder, port, [Fault.parse(text) for text in fault or []])
    typer.echo(server.address)
    serve_forever(server)
