"""Contract checks: every cell of a slice against its feed's pandera schema, all findings at once."""

from __future__ import annotations

import pandas as pd
from pandera.errors import SchemaErrors
from pandera.pandas import DataFrameSchema

from gradeway.feeds.cells import CellError
from gradeway.reasons import Finding, Level, Reason


def validate(frame: pd.DataFrame, contract: DataFrameSchema) -> tuple[pd.DataFrame, list[Finding]]:
    """Return the rows that keep the contract, and what was found on all of them.

    The frame's index is the line of each row. Findings never hold a cell's content: pandera's
    failure cases, which do, go no further than this function.
    """
    findings: list[Finding] = []
    try:
        contract.validate(frame, lazy=True)
    except SchemaErrors as errors:
        findings = _rejects(errors.failure_cases, contract)
    broken = {(finding.line, finding.column) for finding in findings}
    findings += [odd for odd in _warnings(frame, contract) if (odd.line, odd.column) not in broken]
    rejected = {finding.line for finding in findings if finding.reason.level is Level.ROW}
    return (frame.loc[~frame.index.isin(list(rejected))] if rejected else frame), findings


def _rejects(cases: pd.DataFrame, contract: DataFrameSchema) -> list[Finding]:
    columns = cases[["index", "column", "check", "failure_case"]].itertuples(index=False, name=None)
    # a check of the whole row fails once for each of its columns
    cell_checks = {"filled", "parses"}
    found = {(line, column if check in cell_checks else "", check): case for line, column, check, case in columns}
    return [
        _finding(int(line), str(column), str(check), case, contract)
        for (line, column, check), case in found.items()
        if line is not None
    ]


def _finding(line: int, column: str, check: str, case: object, contract: DataFrameSchema) -> Finding:
    if check == "filled":
        return Finding(Reason.REQUIRED, line, column)
    if check == "parses":
        try:
            contract.columns[column].metadata["parser"](str(case))
        except CellError as error:
            return error.at(line, column)
    return Finding(Reason[check], line)


def _warnings(frame: pd.DataFrame, contract: DataFrameSchema) -> list[Finding]:
    findings = []
    for name, column in contract.columns.items():
        warn = column.metadata["warn"]
        if warn and name in frame.columns:
            reasons = {cell: warn(cell) for cell in frame[name].unique() if cell}
            odd = frame.loc[frame[name].isin([cell for cell, reason in reasons.items() if reason]), name]
            findings += [Finding(reasons[cell], int(line), name) for line, cell in odd.items()]
    for reason, holds in ((contract.metadata or {}).get("hints") or {}).items():
        findings += [Finding(reason, int(line)) for line, good in holds(frame).items() if not good]
    return findings
