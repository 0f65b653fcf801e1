"""Airflow with Gradeway's DAGs on this machine, and the stand-ins of the vendors beside it, until Ctrl-C."""

from __future__ import annotations

import click

from gradeway import settings
from gradeway.errors import GradewayError
from gradeway.orchestration.processes import free_port
from gradeway.orchestration.runtime import USER, LocalAirflow
from gradeway.orchestration.stand_ins import stand_ins

USUAL_PORT = 8080


@click.command()
@click.option("--port", type=int, help=f"Port of the web pages; {USUAL_PORT} unless it is taken.")
def main(port: int | None) -> None:
    """Leave Airflow running here until Ctrl-C."""
    chosen = settings.load()
    sandboxes = stand_ins(chosen.home)
    airflow = LocalAirflow(
        chosen.home / "airflow",
        settings.PROJECT,
        port=port or free_port(USUAL_PORT),
        env={"GRADEWAY_HOME": str(chosen.home), "GRADEWAY_LANDING": str(chosen.landing)} | sandboxes.env,
        beside=sandboxes.commands,
        say=lambda text: click.echo(text, err=True),
    )
    try:
        with airflow:
            click.echo(f"Airflow:       {airflow.url}")
            click.echo(f"User:          {USER}, password in {airflow.password_file}")
            click.echo(f"Landing zone:  {chosen.landing}")
            for line in sandboxes.told:
                click.echo(line)
            click.echo("Ctrl-C stops it.")
            airflow.watch()
    except KeyboardInterrupt:
        return
    except GradewayError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
