"""Small CSV files of an installation's own, which a setting names: what stands for what, and who is expected."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NoReturn

from gradeway.errors import SettingsError


class MappingFile:
    """The file that a setting names."""

    def __init__(self, setting: str, path: str) -> None:
        self._setting, self._path = setting, path

    def rows(self, header: str, needed: Collection[str], others: Collection[str] = ()) -> Iterator[dict[str, str]]:
        """Yield the cells of each row, stripped, with the number of its line as ``line``; no path, no rows.

        ``header`` says in words what the first line must be: all needed columns, and any of the others.

        Raises:
            SettingsError: it cannot be read; names the setting and the line.
        """
        if not self._path:
            return
        try:
            with Path(self._path).expanduser().open(encoding="utf-8-sig", newline="") as stream:
                rows = csv.DictReader(stream, strict=True)
                names = list(rows.fieldnames or ())
                if len(set(names)) < len(names) or not set(needed) <= set(names) <= {*needed, *others}:
                    self.refuse(f"its first line must name {header}")
                for row in rows:
                    if None in row:
                        self.refuse(f"line {rows.line_num} has more cells than the first line")
                    cells = {name: (cell or "").strip() for name, cell in row.items()}
                    yield dict.fromkeys(others, "") | cells | {"line": str(rows.line_num)}
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            self.refuse(getattr(error, "strerror", None) or "it is no CSV file in UTF-8")

    def refuse(self, why: str) -> NoReturn:
        """Say what is wrong with the file.

        Raises:
            SettingsError: always.
        """
        msg = f"GRADEWAY_{self._setting.upper()} cannot be used: {why}"
        raise SettingsError(msg) from None
