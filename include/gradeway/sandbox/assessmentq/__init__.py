"""A stand-in for assessmentQ's server, as far as results of offline exams go.

How the vendor's API looks in detail is not public: paths, names and errors are this sandbox's
own, in the vendor's style (REST after OData, JSON, lists cut at 100 with the URL of the next
page). What it does is what the vendor documents: a result file can be uploaded any number of
times until the finished exam has arrived, then never again, and a result can be read at once.

Login: Basic, or the password as ``Authorization: Bearer`` or ``X-Api-Key``. Below ``/api/``:

- ``POST offline-results``: one part ``file`` with a file name, multipart/form-data. 201 with the
  upload; 400 Incomplete (cut short), 409 AlreadyFinished, 422 NotAResultFile
- ``GET offline-results``, ``?sha256=``: the uploads that were taken
- ``GET results``, ``?modifiedAfter=``: the results, by their last change
- ``GET sittings``, ``?exam=``; ``GET exams``; ``GET participants``

Control beside those of every sandbox: ``POST /_sandbox/play`` ``{"sitting": "510001-1", "do":
"start"}`` does what a participant does on an exam PC, and answers the bytes of the .aqr file as
it is then. The server knows nothing of it until they are uploaded.

- ``start``, then ``save`` any number of times, then ``finish``; each makes other bytes
- ``score`` of ``max``: what was reached so far; ``size`` (20000): how long the file is at least

Seed: ``Exams`` (id, name), ``Participants`` (id, name), ``Sittings`` (exam, participant; id and
accessCode are made up when missing; availableTo, an instant). Identifiers are text.

Bodies of faults (``body``): error, html, text, empty.
"""
