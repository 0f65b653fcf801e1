"""Going through all orders of some steps, with the steps that orders begin with done once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from crash.kill import put_back
from loading.world import World


class Bookmarks:
    """Keeps what an installation is, to come back to it; its store is a SQLite file in its home."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self._folder = folder

    def keep(self, name: str) -> None:
        """Keep the present state under a name."""
        self.world.intake.store.engine.dispose()
        shutil.rmtree(self._folder / name, ignore_errors=True)
        shutil.copytree(self.world.home, self._folder / name)

    def back(self, name: str) -> None:
        """Come back to a kept state; the engine stays, for what it has compiled is most of its cost."""
        self.world.intake.store.engine.dispose()
        put_back(self._folder / name, self.world.home)


def walk(
    bookmarks: Bookmarks,
    left: Sequence[str],
    do: Callable[[World, str], object],
    look: Callable[[World, tuple[str, ...]], object],
    done: tuple[str, ...] = (),
) -> None:
    """Do the steps that are left in every order, and look at every end."""
    if not left:
        look(bookmarks.world, done)
        return
    here = str(len(done))
    if len(left) > 1:
        bookmarks.keep(here)
    for step in left:
        if step != left[0]:
            bookmarks.back(here)
        do(bookmarks.world, step)
        walk(bookmarks, [other for other in left if other != step], do, look, (*done, step))
