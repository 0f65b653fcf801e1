"""Groups and the users linked to them into the store, both by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from gradeway.loading.base import Row, RowLoader
from gradeway.store.exams import SessionGroup, SessionMember

FIELDS = {"group_description": "description", "group_active": "active", "group_organizationId": "organization"}


def groups_by_name(session: Session, names: Iterable[str]) -> dict[str, SessionGroup]:
    """Return the groups of these names."""
    wanted = select(SessionGroup).where(SessionGroup.name.in_(list(names)))
    return {group.name: group for group in session.scalars(wanted)}


class GroupRows(RowLoader):
    """What every loader shares whose rows name a group."""

    def bring(self, session: Session, rows: Sequence[Row]) -> dict[str, SessionGroup]:
        """Return the groups that some rows name; those that are new are made."""
        names = {name: row for row in rows if (name := row.values.get("group_name"))}
        groups = groups_by_name(session, names)
        for name, row in names.items():
            if name not in groups:
                groups[name] = self._make(session, name, row)
        return groups

    def _make(self, session: Session, name: str, row: Row) -> SessionGroup:
        group = SessionGroup(name=name, description="", active=True, organization="")
        group.given, group.batch_id, group.line = {}, self.job.batch_id, row.line
        session.add(group)
        self.remember(group, row, None)
        session.flush()
        return group

    def group_fields(self, row: Row) -> dict[str, Any]:
        """Return what a row says of its group."""
        return {field: row.values[name] for name, field in FIELDS.items() if name in row.values}


class GroupLoader(GroupRows):
    """Loads groups.csv rows."""

    def apply(self, session: Session, rows: Sequence[Row]) -> None:
        """Create or update the groups of some rows."""
        known = groups_by_name(session, [row.values["group_name"] for row in rows])
        groups = self.bring(session, rows)
        for row in rows:
            group = groups[row.values["group_name"]]
            if group.name in known:
                self.revise(group, self.group_fields(row), row)
            else:
                self.bring_to(group, self.group_fields(row), row)
                self.tally.created += 1


class MemberLoader(GroupRows):
    """Loads the rows that link users to groups; a link is only ever added."""

    def apply(self, session: Session, rows: Sequence[Row]) -> None:
        """Add the links of some rows that are not there."""
        groups = self.bring(session, rows)
        ids = [group.id for group in groups.values()]
        wanted = select(SessionMember.group_id, SessionMember.username, SessionMember.role)
        known = {tuple(link) for link in session.execute(wanted.where(SessionMember.group_id.in_(ids)))}
        for row in rows:
            link = (groups[row.values["group_name"]].id, row.values["user_username"], row.values["group_role"])
            if link in known:
                self.tally.unchanged += 1
                continue
            group_id, username, role = link
            place = {"batch_id": self.job.batch_id, "line": row.line}
            session.add(SessionMember(group_id=group_id, username=username, role=role, **place))
            self.tally.created += 1
