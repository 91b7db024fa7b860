"""The one place that knows Great Expectations: expectations of ours go in, yes or no comes out."""

import os
from collections.abc import Sequence
from functools import cache
from typing import Any

import pandas as pd

from etl.errors import GateError
from etl.validate.suites import Expectation


def run(label: str, frame: pd.DataFrame, expectations: Sequence[Expectation]) -> list[bool]:
    """Run expectations on a frame and say of each whether it is met, in their order.

    Raises GateError where an expectation is not one of Great Expectations, cannot be evaluated or was not executed.
    """
    gx = _library()
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    try:
        configured = [
            ExpectationConfiguration(
                type=one.type, kwargs=dict(one.kwargs), severity=one.severity, meta={"position": position}
            ).to_domain_obj()
            for position, one in enumerate(expectations)
        ]
    except Exception as error:  # the library raises many kinds for a name or an argument it does not know
        raise GateError(f"{label}: an expectation is not one of Great Expectations: {error}") from error
    batch = _batches().get_batch({"dataframe": frame})
    suite = gx.ExpectationSuite(name=label, expectations=configured)
    # Yes or no is all that is asked: what else the library could tell costs as much again.
    results = batch.validate(suite, result_format="BOOLEAN_ONLY").results
    # Results come in an order of the library's own.
    told = {result.expectation_config.meta["position"]: result.to_json_dict() for result in results}
    if len(results) != len(expectations) or len(told) != len(expectations):
        raise GateError(f"{label}: {len(expectations)} expectations are declared, {len(told)} were executed")
    return [_is_met(label, one, told[position]) for position, one in enumerate(expectations)]


def _is_met(label: str, expectation: Expectation, told: dict[str, Any]) -> bool:
    problem = told["exception_info"]
    if problem.get("raised_exception") is not False:
        reasons = [problem] if "exception_message" in problem else list(problem.values())
        raise GateError(f"{label}: {expectation.name} could not be evaluated: {reasons[0]['exception_message']}")
    return bool(told["success"])


def _library() -> Any:
    # Read when the library is imported: nothing is to be sent anywhere.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations

    return great_expectations


@cache
def _batches() -> Any:
    """The one asset of this process, through which every frame goes; making another takes longer than most suites."""
    context = _library().get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("tables").add_dataframe_asset("frame")
    return asset.add_batch_definition_whole_dataframe("all")
