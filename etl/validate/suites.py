"""The suites in expectations/: one JSON file a table, in part generated from its contract, in part written by hand."""

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from etl.contracts import Column, Contract, contract
from etl.errors import GateError
from etl.resources import resource_folder

#: Doubles may miss a limit by their last bits.
TOLERANCE = 1e-9

#: Columns that point at the key of another table: those columns, the table, and the check that follows them.
REFERENCES: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("cluster_code",), "cluster", "cluster_is_known"),
    (("related_cluster_code",), "cluster", "related_cluster_is_known"),
    (("source",), "source", "source_is_known"),
    (("region_scheme", "region_code", "region_vintage"), "region", "region_is_known"),
    (("partner_scheme", "partner_code", "partner_vintage"), "region", "partner_is_known"),
)

_BOUNDS = ("employment", "employment_low", "employment_high")


class Meta(BaseModel):
    """Where an expectation comes from, and in words what it protects."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    origin: Literal["contract", "domain"]
    protects: str


class Expectation(BaseModel):
    """One expectation, in the words of Great Expectations.

    It looks at the `keys` of all rows, at the `values` of its column, or at the number of rows against a check of the
    column's name (`checks`, see `etl.validate.checks`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str
    kwargs: dict[str, Any]
    looks_at: Literal["keys", "values", "checks"]
    severity: Literal["critical", "warning"]
    meta: Meta

    @property
    def name(self) -> str:
        """Short name for people: the check, or the type with its column."""
        return self.check or f"{self.type}({', '.join(self.columns)})"

    @property
    def check(self) -> str | None:
        """Name of the check that is to find no row; None where the expectation looks elsewhere."""
        return self.columns[0] if self.looks_at == "checks" else None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the expectation reads."""
        return tuple(self.kwargs.get("column_list") or [self.kwargs["column"]])


class Suite(BaseModel):
    """The expectations of one table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    expectations: tuple[Expectation, ...]

    def to_text(self) -> str:
        """Return the suite as it stands in its file: one line an expectation."""
        lines = ",\n".join("    " + json.dumps(e.model_dump(), ensure_ascii=False) for e in self.expectations)
        return f'{{\n  "table": "{self.table}",\n  "expectations": [\n{lines}\n  ]\n}}\n'


def suite(table: str) -> Suite:
    """Read the suite of a table. Raises GateError where it is missing or not a suite."""
    file = resource_folder("expectations") / f"{table}.json"
    try:
        return Suite.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        raise GateError(f"table {table} has no suite {file.name} in expectations/; nothing was checked") from None
    except ValidationError as error:
        raise GateError(f"expectations/{file.name} is not a suite: {error.errors()[0]['msg']}") from error


def generated(table: Contract) -> list[Expectation]:
    """Return the expectations that follow from a contract."""
    expectations = [_key(table)]
    for column in table.columns:
        expectations += _column(column)
    if set(_BOUNDS) <= set(table.column_names):
        expectations.append(_check("bounds_hold", "employment_low <= employment <= employment_high in every row."))
    for columns, target, check in REFERENCES:
        if set(columns) <= set(table.column_names) and contract(target).key != table.key:
            expectations.append(_check(check, f"Every {', '.join(columns)} is in table {target}."))
    if table.partition:
        words = "A year does not lose a fifth of the rows it had in the version before."
        expectations.append(_check("rows_do_not_vanish", words, "warning"))
    return expectations


def _key(table: Contract) -> Expectation:
    meta = Meta(origin="contract", protects="The key tells rows apart.")
    kind, kwargs = "expect_compound_columns_to_be_unique", dict[str, Any](column_list=list(table.key))
    if len(table.key) == 1:
        kind, kwargs = "expect_column_values_to_be_unique", {"column": table.key[0]}
    return Expectation(type=kind, kwargs=kwargs, looks_at="keys", severity="critical", meta=meta)


def _column(column: Column) -> list[Expectation]:
    found: list[tuple[str, dict[str, Any], str]] = []
    if not column.nullable:
        found.append(("expect_column_values_to_not_be_null", {}, f"Every row has {column.name}."))
    if column.values:
        words = f"{column.name} is one of its allowed values."
        found.append(("expect_column_values_to_be_in_set", {"value_set": list(column.values)}, words))
    if column.pattern:
        words = f"{column.name} has the shape of its codes."
        found.append(("expect_column_values_to_match_regex", {"regex": column.pattern}, words))
    limits = {"min_value": (column.minimum, -1), "max_value": (column.maximum, 1)}
    tolerance = TOLERANCE if column.type == "double" else 0
    kwargs = {name: limit + sign * tolerance for name, (limit, sign) in limits.items() if limit is not None}
    if kwargs:
        found.append(("expect_column_values_to_be_between", kwargs, f"{column.name} stays within its limits."))
    return [
        Expectation(
            type=kind,
            kwargs={"column": column.name, **kwargs},
            looks_at="values",
            severity="critical",
            meta=Meta(origin="contract", protects=words),
        )
        for kind, kwargs, words in found
    ]


def _check(name: str, protects: str, severity: Literal["critical", "warning"] = "critical") -> Expectation:
    return Expectation(
        type="expect_column_values_to_be_between",
        kwargs={"column": name, "min_value": 0, "max_value": 0},
        looks_at="checks",
        severity=severity,
        meta=Meta(origin="contract", protects=protects),
    )
