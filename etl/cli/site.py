"""Verbs of the page: site serve, site build."""

from pathlib import Path
from typing import Annotated

import typer

from etl.cli.options import Data, data_root
from etl.errors import UsageError

site_app = typer.Typer(help="The page of a version: maps, profiles, rankings.", no_args_is_help=True)

Version = Annotated[str, typer.Argument(help="Version; the latest where none is named.")]


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.add_typer(site_app, name="site")


@site_app.command("serve")
def serve_site(
    version: Version = "latest",
    data: Data = None,
    port: Annotated[int, typer.Option("--port", help="Port on the loopback address; 0: any that is free.")] = 8000,
) -> None:
    """Show the page of a version in the browser, until interrupted."""
    from etl.site.server import SiteServer
    from etl.snapshots import open as open_snapshot

    server = SiteServer(open_snapshot(version, data_root(data)), port)
    mark = " (invented figures)" if server.snapshot.manifest.is_invented else ""
    typer.echo(f"Version {server.snapshot.version}{mark}: {server.address} (Ctrl-C ends)")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


@site_app.command("build")
def build_site_of(
    folder: Annotated[Path, typer.Argument(help="Empty or new folder for the page.")],
    version: Version = "latest",
    data: Data = None,
) -> None:
    """Make the page of a published version in a folder, to be put on any web server or opened from there."""
    from etl.archive import in_use, known
    from etl.publish.versions import version_order
    from etl.site import site_of_snapshot
    from etl.snapshots import open as open_snapshot
    from etl.sources import DATASETS

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already and not an empty folder; name a new one")
    snapshot = open_snapshot(version, data_root(data))
    day = version_order(snapshot.version)[0]
    page = site_of_snapshot(snapshot, list(in_use(known(snapshot.storage, day), DATASETS).values()))
    for path, content in page.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    size = sum(map(len, page.values())) / 1e6
    typer.echo(f"The page of version {snapshot.version}: {folder / 'index.html'}, {len(page)} files, {size:.1f} MB.")
