"""Validate: the gate before publishing. Great Expectations decides; the heavy counting is done on Arrow tables."""

from etl.validate.gate import validate
from etl.validate.report import Checked, GateReport, merged

__all__ = ["Checked", "GateReport", "merged", "validate"]
