"""`dragoman db`: the database brought to this version's shape, copied while it is in use, and looked over."""

from __future__ import annotations

import time
from pathlib import Path

import click

from dragoman.cli.options import config_option, data_option, json_option, load_or_exit
from dragoman.cli.output import Failed, print_json, print_table, say


@click.group("db")
def command() -> None:
    """Migrate, back up and verify the database.

    \b
    dragoman db backup
    dragoman db verify
    """


@command.command("migrate", short_help="Bring the database to this version's shape.")
@config_option
@data_option
@json_option
def migrate_command(config: Path | None, data: Path | None, as_json: bool) -> None:
    """Bring the database to this version's shape, as every start does; forward only.

    \b
    dragoman db migrate
    dragoman db migrate --config /etc/dragoman.yaml --json

    Several may do it at once: the first does the work, the others wait.
    """
    from dragoman.cli.database import location_or_fail
    from dragoman.store import StoreRefused
    from dragoman.store.migrate import NEWEST, migrate

    location = location_or_fail(load_or_exit(config, data))
    try:
        changed = migrate(location)
    except StoreRefused as error:
        raise Failed(str(error)) from None
    if as_json:
        print_json({"database": location.shown, "revision": NEWEST, "changed": changed})
    else:
        print_table(("database", "revision"), [(location.shown, NEWEST)])
    say("It was brought to this version's shape." if changed else "There was nothing to do.")


@command.command("backup", short_help="Copy the database into a file while it is in use.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@config_option
@data_option
@json_option
def backup_command(file: Path | None, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Copy the database as it is at one moment into FILE, and print where that is; else into `backups` in the data directory.

    \b
    dragoman db backup
    dragoman db backup /mnt/backups/dragoman.db

    Gateways go on meanwhile. Of PostgreSQL too a SQLite file is made: any gateway can run on it as its dragoman.db.
    """
    from dragoman.cli.database import location_or_fail, take_in_journals
    from dragoman.store import StoreRefused
    from dragoman.store.backup import BackupFailed, backup

    loaded = load_or_exit(config, data)
    location = location_or_fail(loaded)
    if file is None:
        file = loaded.settings.data / "backups" / time.strftime("dragoman-%Y%m%dT%H%M%SZ.db", time.gmtime())
    if location.server or location.path.exists():
        take_in_journals(location, loaded.settings.data)
    try:
        made = backup(location, file)
    except (StoreRefused, BackupFailed) as error:
        raise Failed(str(error)) from None
    if as_json:
        print_json({"path": str(made.path), "size": made.size, "sha256": made.sha256, "rows": made.rows})
    else:
        click.echo(str(made.path))
    say(f"{sum(made.rows.values())} rows of {len(made.rows)} tables, {made.size / 1e6:.1f} MB.")


@command.command("verify", short_help="Check that the database is whole.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@config_option
@data_option
@json_option
def verify_command(file: Path | None, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Check the database, or the backup FILE: that it is whole, of this version's shape, and at one with itself.

    \b
    dragoman db verify
    dragoman db verify /mnt/backups/dragoman.db --json

    Nothing is changed. Exit status 1 when something is wrong.
    """
    from dragoman.cli.database import location_or_fail
    from dragoman.store import Location
    from dragoman.store.verify import verify

    location = Location(file.absolute()) if file is not None else location_or_fail(load_or_exit(config, data))
    checks = verify(location)
    good = all(check.ok for check in checks)
    if as_json:
        rows = [{"check": check.name, "ok": check.ok, "message": check.message} for check in checks]
        print_json({"ok": good, "database": location.shown, "checks": rows})
    else:
        print_table(
            ("check", "result", "message"),
            [(check.name, "ok" if check.ok else "fail", check.message) for check in checks],
        )
    if not good:
        raise SystemExit(1)
