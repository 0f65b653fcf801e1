"""A stand-in for Blackboard Learn's public REST API, as far as gradebooks go, for one site.

Faithful to the vendor's description of that API (release 3900.123): courses, users, memberships,
contents, grade schemas, columns, grades and attempts, in Classic and in Ultra courses. Where it is
silent, the module that had to decide says how; what it has and this sandbox has not is answered
501, so that nobody takes its absence for the vendor's.

``POST /learn/api/public/v1/oauth2/token`` with Basic key and secret grants the application's one
token. It asks on behalf of one user, whose entitlements a seed can take away.

Control beside those of every sandbox:

``POST /_sandbox/play`` ``{"course": "ANA101", "do": "grade", "column": "Oral", "user":
"a.okafor00", "score": 17.5}`` does what a person does in the web pages. Course, column and user
are named as people see them (courseId, name, user name), or by any ID of the API. ``do`` is:

- ``grade`` (``score`` or ``text``), ``clear``, ``exempt`` (``exempt``: true), ``feedback`` (``text``),
  ``attempt`` (``score``: somebody graded an attempt): all of a ``column`` and a ``user``
- ``rename`` (``name``), ``points`` (``possible``), ``schema`` (``schema``: its title), ``external``,
  ``delete``: of a ``column``
- ``add``: a manual column (``name``, ``possible``: 100, ``schema``: Score)
- ``enrol``: a ``user`` (``role``: Student, ``available``: Yes, ``populated``: true; false: there are no
  rows for grades yet), ``populate``, ``disable``, ``enable``: a ``user``

The answer is the ID of the column or the membership, or whose grade it is and its changeIndex.

``POST /_sandbox/limit`` limits the rate of calls, anew with every call of it; ``{}``, as at the start,
takes the limit away. Time is the sandbox's clock.

- ``{"style": "bucket", "calls": 50, "seconds": 1, "size": 20}``: a bucket that holds 20 calls, to
  which 50 come a second; ``size`` is as many as the calls unless said
- ``{"style": "window", "calls": 10000, "seconds": 86400}``: so many calls in a fixed window, with the
  older headers

Seed: ``Accounts`` (at most one: userName, entitlements), ``Courses`` (courseId, externalId, name,
ultraStatus: Classic, parentId: the courseId of its parent, closedComplete, availability,
entitlements: what the account may do there, if not as elsewhere), ``Users`` (userName, externalId,
studentId, name), ``Memberships`` (courseId, userName, courseRoleId: Student, availability, populated:
true; of a child course also in its parent), ``Notations`` (courseId, code, description). Only
courseId, userName, code and description must be there. ``gradeway.sandbox.learn.start.courses`` makes
a seed of plain lists.

Bodies of faults (``body``): rest, rest_text (the status as text), oauth (the shape of the token
endpoint), html, empty.
"""
