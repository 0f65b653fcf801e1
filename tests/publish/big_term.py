"""A store with a whole term in it that is published, made in a moment."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import text

from gradeway.store.engine import Store

NUMBERS, RECURSION = (
    re.compile(r"<(.+)> "),
    r"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < \1) ",
)
# What stands in angles is how many numbers n there are.
STATEMENTS = """
<:courses> INSERT INTO course (id, source_id) SELECT 1000 + i, 'M' || (10000 + i) FROM n;
INSERT INTO grade_schema (id, title, symbols, optional_data, given, batch_id, line)
VALUES (1000, 'Letters of M', '[]', '{}', '{}', 1, 2);
<:courses * :columns> INSERT INTO grade_column (id, course_id, name, match_key, kind, points, schema_id, external,
    optional_data, given, batch_id, line)
SELECT 1000 + i, 1000 + i / :columns, 'c' || i, 'c' || i, 'manual', '20', 1000, :no, '{}', '{}', 1, 2 FROM n;
INSERT INTO published_item (target, course_id, kind, entity_id, remote_id, told, stamp, made, told_at)
SELECT 'learn', course_id, 'column', id, '_1_1', '{}', '1:2:None:False', :no, '2026-05-01' FROM grade_column;
INSERT INTO published_item (target, course_id, kind, entity_id, remote_id, told, stamp, told_at)
SELECT 'learn', id, 'schema', 1000, '_1_1', '{}', '1:2', '2026-05-01' FROM course;
<:learners> INSERT INTO grade (column_id, learner_id, batch_id, line, value)
SELECT id, 1 + i, 1, 2, '7' FROM grade_column CROSS JOIN n ORDER BY id, i;
INSERT INTO grade_receipt (target, column_id, learner_id, value, change_index, at)
SELECT 'learn', column_id, learner_id, value, 1, '2026-05-01' FROM grade ORDER BY column_id, learner_id;
INSERT INTO plan (id, system, digest, content, made_at)
SELECT id, 'learn', source_id, '{}', '2026-05-01' FROM course;
INSERT INTO publish_intent (plan_id, course_id, kind, action, name, entity_id, learner_id, value, after, state)
SELECT c.course_id, c.course_id, 'grade', 'create', c.name, g.column_id, g.learner_id, g.value, '{}', 'done'
FROM grade g JOIN grade_column c ON c.id = g.column_id;
INSERT INTO publish_problem (target, course_id, kind, entity_id, learner_id, code, value, found_at)
SELECT 'learn', course_id, 'grade', id, 0, 'LEARNER_UNKNOWN', '7', '2026-05-01' FROM grade_column;
INSERT INTO grade_conflict (target, column_id, learner_id, course_id, ours, what, found_at, resolution)
SELECT 'learn', id, 1, course_id, '6', '', '2026-05-01', 'keep' FROM grade_column;
ANALYZE
"""


@dataclass(frozen=True)
class Term:
    """How much there is: courses, columns in each, and grades in each of these, each of which was written once.

    Each column also has a problem and a decided conflict.
    """

    courses: int
    columns: int
    learners: int

    def fill(self, store: Store) -> None:
        """Fill an empty store."""
        script = STATEMENTS
        for name, number in vars(self).items():
            script = script.replace(f":{name}", str(number))
        with store.engine.begin() as connection:
            for statement in script.split(";"):
                connection.execute(text(NUMBERS.sub(RECURSION, statement)), {"no": False})
