"""The gradebook of record: schemas, columns, learners, grades, and the ledger of batches."""
