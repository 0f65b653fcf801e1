"""What Gradeway's DAGs tell one another by: the doorbell of an inbox, and what changed in the store.

An event on a store asset means that rows of that kind were created or changed; it carries no
data. A DAG that hangs on one reads the store itself.
"""

from __future__ import annotations

from airflow.sdk import Asset, AssetWatcher

from gradeway.orchestration.doorbell import Doorbell

GRADES_INBOX = Asset(
    "gradeway_inbox_grades", watchers=[AssetWatcher(name="gradeway_doorbell_grades", trigger=Doorbell("grades"))]
)
SESSIONS_INBOX = Asset(
    "gradeway_inbox_sessions", watchers=[AssetWatcher(name="gradeway_doorbell_sessions", trigger=Doorbell("sessions"))]
)
RESULTS_INBOX = Asset(
    "gradeway_inbox_results", watchers=[AssetWatcher(name="gradeway_doorbell_results", trigger=Doorbell("results"))]
)
AQR_INBOX = Asset("gradeway_inbox_aqr", watchers=[AssetWatcher(name="gradeway_doorbell_aqr", trigger=Doorbell("aqr"))])
SCHEMAS = Asset("gradeway_schemas")
COLUMNS = Asset("gradeway_columns")
GRADES = Asset("gradeway_grades")
