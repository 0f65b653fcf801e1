"""Runnable stand-ins for the vendors' services, faithful to their documents.

Each sandbox is one process on loopback with data of its own, for trying out and for tests. What
all of them share is here; what a vendor's service does is in that vendor's package.

Data: one SQLite file in the data folder. A request is one transaction, committed before its
answer is sent, so that a restart or a kill -9 loses nothing that was answered. A seed is one JSON
file, ``{"EntitySet": [{vendor's properties}]}``, loaded only into an empty folder.

Control paths. They are ours, not the vendor's, need no login, and are not in the request log:

- ``GET /_sandbox/log?after=N``: the vendor's requests since the start, from number N + 1 on. An
  entry has number, at, method, path, query, properties (names in the body), status (null: no
  answer was sent), took_effect (whether the data changed), fault, and sha256 (of the file in the
  body, null without one). Never bodies, logins or signatures. ``--log FILE`` appends the same
  entries as JSON lines. What comes while the network is down is not in it: nobody received it.
- ``POST /_sandbox/faults``: a list of faults to add, ``GET``: those left, ``DELETE``: removes all.
  See ``gradeway.sandbox.faults`` for what a fault can be.
- ``POST /_sandbox/clock`` ``{"now": "2027-01-31T09:00:00Z"}``: the time stands there until moved
  again, ``null``: the real time. ``GET`` tells the time.
- ``POST /_sandbox/network`` ``{"online": false}``: all connections are dropped and new ones
  refused (where the control paths have a port of their own, on which they stay reachable; dropped
  too where they have not). ``{"bytes_per_second": 5000}``: a slow link for every connection.
  ``{}``: as usual. ``GET`` tells the state.

Faults, clock and network are as usual after a restart; the data is kept.
"""
