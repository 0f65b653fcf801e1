"""A stand-in for Questionmark's Delivery service (OData v3), for one area and one service account.

Faithful to Questionmark's documents of the Delivery OData API: feeds, properties, navigation,
filters, scheduling, and what participants may do with their schedules. Where the documents are
silent, the module that had to decide says how; what they have and this sandbox has not is
answered 501, so that nobody takes its absence for the vendor's.

Control beside those of every sandbox: ``POST /_sandbox/play`` ``{"ScheduleID": 1,
"ParticipantID": 2, "do": "start"}`` does what that participant does, by the rules of InvokeAction:

- ``start`` or ``resume`` an attempt
- ``finish``: ``score`` (0) of ``max`` (100), ``status`` (2; any of the documented 0 to 9)
- ``quit``: the same with status 5
- ``abandon``: the client is gone without a word, the result stays in progress

The answer is ``{"Attempt": {...}, "Result": {...}}``. Opening the URL that InvokeAction answers
starts or resumes, too: once, and within five minutes.

Seed: entities by entity set with the vendor's property names; those that are missing are null or
the type's zero. A navigation holds keys, or entities (which are added), for instance
``{"Groups": [{"ID": 1, "Name": "Nursing", "Participants": [2, {"ID": 3, "Name": "k.ito"}]}]}``;
so an expanded answer of the service can be a seed.

Bodies of faults (``body``): odata.error, error, error_text, xml, text, empty.
"""
