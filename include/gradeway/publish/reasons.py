"""Why something is not published, or not all of it.

As with the reasons of findings, a code is a contract: codes are added but never renamed. Source of
the rules: Blackboard's description of the Learn public API; Grades Journey, Incoming Flat File
Specifications.
"""

from __future__ import annotations

from gradeway.outcomes import Outcome, OutcomeReason


class PublishReason(OutcomeReason):
    """A reason code with the outcome it leads to, its meaning and its remedy."""

    COURSE_UNKNOWN = (
        "COURSE_UNKNOWN",
        Outcome.PARKED,
        "no course there has this identifier",
        "create the course there, or correct courseId; GRADEWAY_PUBLISH_COURSE_ID says which identifier it is",
    )
    COURSE_HIDDEN = (
        "COURSE_HIDDEN",
        Outcome.REJECTED,
        "the account does not see what kind of course it is, or where it is cross-listed",
        "give the account the entitlement course.configure-properties.EXECUTE in this course",
    )
    COURSE_CLOSED = (
        "COURSE_CLOSED",
        Outcome.PARKED,
        "the course is closed there, and takes no changes",
        "open the course there; the nightly run publishes it, `gradeway publish plan` at once",
    )
    COURSE_FORBIDDEN = (
        "COURSE_FORBIDDEN",
        Outcome.REJECTED,
        "the account may not read or change this course's gradebook",
        "give the account the entitlement course.gradebook.MODIFY in this course",
    )
    COURSE_AWAY = (
        "COURSE_AWAY",
        Outcome.PARKED,
        "the gradebook fails again and again in this course, and works in others",
        "each run tries again; if it goes on, open the course's gradebook there, and ask the site's administrators",
    )
    COURSE_ANSWER = (
        "COURSE_ANSWER",
        Outcome.PARKED,
        "what the gradebook answers in this course cannot be used",
        "each run tries again; if it goes on, open the course's gradebook there, and ask the site's administrators",
    )
    SCHEMA_CREATE_UNSUPPORTED = (
        "SCHEMA_CREATE_UNSUPPORTED",
        Outcome.REJECTED,
        "the course is an Ultra course, in which no schema can be made, and none there has this title",
        "make a schema of this title there by hand; its symbols are then kept as the file has them",
    )
    SCHEMA_AMBIGUOUS = (
        "SCHEMA_AMBIGUOUS",
        Outcome.REJECTED,
        "several schemas of the course have this title",
        "give each schema there a title of its own",
    )
    SCHEMA_KIND = (
        "SCHEMA_KIND",
        Outcome.REJECTED,
        "the schema of this title there has no symbols",
        "rename that schema there, or the one in the .sch file",
    )
    SCHEMA_UNBOUND = (
        "SCHEMA_UNBOUND",
        Outcome.REJECTED,
        "the schema's symbols have no lower bounds, and a gradebook needs them",
        "give each symbol in the .sch file its lower bound, as in A=90:B=80:F=0",
    )
    SCHEMA_TOO_SHORT = (
        "SCHEMA_TOO_SHORT",
        Outcome.REJECTED,
        "an Ultra course needs at least two symbols",
        "add a symbol in the .sch file",
    )
    SCHEMA_GONE = (
        "SCHEMA_GONE",
        Outcome.CONFLICT,
        "somebody deleted the schema there",
        "`gradeway publish resolve` with --take makes it anew; a column can do without it, too",
    )
    COLUMN_AMBIGUOUS = (
        "COLUMN_AMBIGUOUS",
        Outcome.REJECTED,
        "several columns of the course have this name there",
        "give each column there a name of its own",
    )
    COLUMN_TAKEN = (
        "COLUMN_TAKEN",
        Outcome.REJECTED,
        "the column of this name there stands for another column of ours",
        "give each column in the files a name of its own",
    )
    COLUMN_KIND = (
        "COLUMN_KIND",
        Outcome.REJECTED,
        "the column of this name there is calculated, and takes no grades",
        "rename that column there, or the one in the file",
    )
    COLUMN_GONE = (
        "COLUMN_GONE",
        Outcome.CONFLICT,
        "somebody deleted the column there",
        "`gradeway publish resolve` with --take makes it anew, with all its grades",
    )
    CHANGED_THERE = (
        "CHANGED_THERE",
        Outcome.CONFLICT,
        "somebody changed it there; what they changed is kept",
        "`gradeway publish resolve` with --take brings back what the file says",
    )
    COLUMN_IN_USE = (
        "COLUMN_IN_USE",
        Outcome.CONFLICT,
        "the column is not ours any more, and somebody gave grades in it: it stays",
        "delete it there by hand if it is not needed",
    )
    UNSUPPORTED_CALCULATED = (
        "UNSUPPORTED_CALCULATED",
        Outcome.SKIPPED,
        "a calculated column is empty until its columns and weights are added by hand, and the API makes none",
        "make the column there by hand",
    )
    EXTERNAL_UNSUPPORTED = (
        "EXTERNAL_UNSUPPORTED",
        Outcome.SKIPPED,
        "only Original courses have an external grade column of the file's choice; this is an Ultra course",
        "choose the course grade there by hand",
    )
    ATTEMPTS_TOO_MANY = (
        "ATTEMPTS_TOO_MANY",
        Outcome.REJECTED,
        "an assignment in an Ultra course has 10 attempts at most, or any number",
        "correct attempts in the .asg file: 1 to 10, or -1",
    )
    FOLDER_UNSUPPORTED = (
        "FOLDER_UNSUPPORTED",
        Outcome.REJECTED,
        "only Ultra courses have subfolders of a content area; this is an Original course",
        "name the content area alone in the .asg file",
    )
    FOLDER_AMBIGUOUS = (
        "FOLDER_AMBIGUOUS",
        Outcome.REJECTED,
        "several folders of the course have this name",
        "give each folder there a name of its own",
    )
    REMOVAL_UNSUPPORTED = (
        "REMOVAL_UNSUPPORTED",
        Outcome.SKIPPED,
        "it was taken back here, and the flat files have no way to take away what they brought",
        "take it away in the gradebook by hand, if it is there",
    )
    CELL_REFUSED = (
        "CELL_REFUSED",
        Outcome.REJECTED,
        "the flat files cannot carry it as it is",
        "correct it in the file that it came from; GRADEWAY_DELIMITER says which separator the files have",
    )
    NOT_CARRIED = (
        "NOT_CARRIED",
        Outcome.SKIPPED,
        "some of what the file says cannot be set there",
        "set it there by hand",
    )
    SCHEMA_WAITED_FOR = (
        "SCHEMA_WAITED_FOR",
        Outcome.PARKED,
        "the column waits for its schema, which could not be published",
        "see the problem of the schema",
    )
    COLUMN_WAITED_FOR = (
        "COLUMN_WAITED_FOR",
        Outcome.PARKED,
        "grades wait for their column, which could not be published",
        "see the problem of the column",
    )
    LEARNER_UNKNOWN = (
        "LEARNER_UNKNOWN",
        Outcome.PARKED,
        "nobody in the course has this identifier",
        "enrol the learner there, or correct userId; GRADEWAY_PUBLISH_LEARNER_ID says which identifier it is",
    )
    LEARNER_AMBIGUOUS = (
        "LEARNER_AMBIGUOUS",
        Outcome.REJECTED,
        "several people in the course have this identifier, but for upper and lower case",
        "write userId exactly as it is there",
    )
    LEARNER_TWICE = (
        "LEARNER_TWICE",
        Outcome.REJECTED,
        "the files name one learner in several ways: in a login upper and lower case mean nothing; none is written",
        "correct userId in the files: `gradeway undo` takes back the batch that wrote it otherwise, and the corrected "
        "file is dropped again",
    )
    LEARNER_DISABLED = (
        "LEARNER_DISABLED",
        Outcome.PARKED,
        "the learner's membership of the course is disabled",
        "enable the membership there; the nightly run publishes the grade, `gradeway publish plan` at once",
    )
    LEARNER_ROLE = (
        "LEARNER_ROLE",
        Outcome.REJECTED,
        "the person is no student of the course",
        "correct the role there, or userId in the file",
    )
    NOT_POPULATED = (
        "NOT_POPULATED",
        Outcome.PARKED,
        "the learner has no place for grades there yet, as it is shortly after enrolment",
        "nothing needs to be done for some days; then see whether the learner's grades can be opened there",
    )
    GRADE_REFUSED = (
        "GRADE_REFUSED",
        Outcome.REJECTED,
        "the gradebook refuses the grade",
        "see that the value fits the column's schema there, and that the learner can be graded there",
    )
    GRADE_DIFFERS = (
        "GRADE_DIFFERS",
        Outcome.CONFLICT,
        "the gradebook took the grade, and keeps another",
        "see what its column there can keep, and give that in the file; or give it there by hand",
    )
    REFUSED = (
        "REFUSED",
        Outcome.REJECTED,
        "the gradebook refuses the change",
        "see what the gradebook answered; correct the file or the course",
    )
    ANSWER_DIFFERS = (
        "ANSWER_DIFFERS",
        Outcome.CONFLICT,
        "the gradebook took what was sent, and shows something else",
        "look at it there; `gradeway publish resolve` with --take sends it again",
    )
    OUTCOME_UNKNOWN = (
        "OUTCOME_UNKNOWN",
        Outcome.UNKNOWN,
        "an earlier call got no answer, and may still take effect",
        "the next run finds out, once GRADEWAY_PUBLISH_GRACE_SECONDS are over; nothing is sent twice before",
    )
    ASSIGNMENT_LOST = (
        "ASSIGNMENT_LOST",
        Outcome.UNKNOWN,
        "the call that makes the assignment got no answer, and the course has a new one that may be it",
        "give the one assignment that is meant, and no other, the name that it has here; if none there is it, "
        "`gradeway publish resolve` with --take makes it",
    )


# They keep nothing else from being published.
NOTES = [
    each.value
    for each in (
        PublishReason.NOT_CARRIED,
        PublishReason.CHANGED_THERE,
        PublishReason.EXTERNAL_UNSUPPORTED,
        PublishReason.ANSWER_DIFFERS,
    )
]

# What sending finds out; all others are told by planning.
SENDING = [
    reason.value
    for reason in (
        PublishReason.OUTCOME_UNKNOWN,
        PublishReason.ASSIGNMENT_LOST,
        PublishReason.ANSWER_DIFFERS,
        PublishReason.REFUSED,
        PublishReason.GRADE_REFUSED,
        PublishReason.GRADE_DIFFERS,
        PublishReason.CELL_REFUSED,
        PublishReason.COURSE_FORBIDDEN,
        PublishReason.LEARNER_UNKNOWN,
        PublishReason.LEARNER_DISABLED,
        PublishReason.LEARNER_ROLE,
        PublishReason.NOT_POPULATED,
    )
]

# Of calls without an answer: told until it is known what became of them.
UNANSWERED = [PublishReason.OUTCOME_UNKNOWN.value, PublishReason.ASSIGNMENT_LOST.value]

# They pass by themselves: each run tries again.
PASSING = [PublishReason.COURSE_AWAY.value, PublishReason.COURSE_ANSWER.value]

# Found out only by sending; the same values are not sent again with every plan.
REFUSALS = [
    each.value
    for each in (
        PublishReason.NOT_POPULATED,
        PublishReason.GRADE_REFUSED,
        PublishReason.GRADE_DIFFERS,
        PublishReason.REFUSED,
    )
]

# Whoever has a grade here is not found there.
UNMATCHED = [
    each.value
    for each in (
        PublishReason.LEARNER_UNKNOWN,
        PublishReason.LEARNER_AMBIGUOUS,
        PublishReason.LEARNER_DISABLED,
        PublishReason.LEARNER_ROLE,
    )
]

# What somebody did there, and a person can decide to take back.
GONE = [PublishReason.SCHEMA_GONE.value, PublishReason.COLUMN_GONE.value]
INSISTED = [*GONE, PublishReason.CHANGED_THERE.value]
# What may be there after all, and a person can decide to make anew.
LOST = PublishReason.ASSIGNMENT_LOST.value
