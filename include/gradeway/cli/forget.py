"""`gradeway sessions forget`, `gradeway aqr forget` and `gradeway publish forget`."""

from __future__ import annotations

from gradeway.cli import out
from gradeway.cli.shell import DONE, FOUND
from gradeway.settings import load
from gradeway.store import tenants
from gradeway.store.engine import Store


def forget_tenant(system: str, thing: str, output: str, *, yes: bool) -> int:
    """Forget the tenant of a system, or only tell what that would be; return the exit code."""
    store = Store(load().database_url).ready()
    found = tenants.forget(store, system) if yes else tenants.known(store, system)
    if output == "json":
        place, count = (found.place, found.count) if found else (None, 0)
        out.print_json({"place": place, f"{thing.replace(' ', '_')}s": count, "forgotten": yes})
    elif found is None:
        out.say("nothing is known that could be forgotten")
    else:
        what = f"{out.count(found.count, thing)} of {found.place}"
        command = tenants.SYSTEMS[system].command
        more = "forgotten; the next run begins anew" if yes else f"would be forgotten; to do it: {command} --yes"
        out.say(f"{what} {more}")
    return DONE if yes or found is None else FOUND
