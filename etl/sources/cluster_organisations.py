"""Cluster organisations: the platform's export or any other list, where a file or address is configured.

The European Cluster Collaboration Platform documents no address for an export, so the setting `cluster_organisations`
describes the table (`etl.sources.configured`). What an organisation does is given by codes, clusters or text; placing
it on the taxonomy is a later step (`etl.organisations`). What people decided about single organisations may be given in
a second file, the setting `organisation_decisions`.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from etl.errors import SourceFormatError
from etl.settings import Settings
from etl.sources.base import ArchivedFile, Dataset, Parsed, Request, Side
from etl.sources.configured import TableSettings, check_table, cluster_of, table_rows, table_settings

#: What may be declared. `cluster`: names or codes of clusters; `industry_codes`: NACE or NAICS codes, as written;
#: `sectors`: words for the fields of work; each may hold several, separated by `;` or `|`.
COLUMNS = (
    "organisation_id",
    "organisation_name",
    "country_code",
    "region_code",
    "city",
    "web_site",
    "members",
    "quality_label",
    "cluster",
    "industry_codes",
    "sectors",
    "description",
)
_REQUIRED = frozenset({"organisation_id", "organisation_name"})

#: Columns of the decisions: a reason need not be given.
DECISION_COLUMNS = ("organisation_id", "cluster_code", "reason")
DECISIONS = "decisions"

#: Codes of countries as Eurostat writes them.
_COUNTRIES = {"GR": "EL", "GB": "UK"}


class ClusterOrganisations(Dataset):
    """Organisations as their list gives them, under our column names; all of them text, empty where not given."""

    name = "cluster_organisations"
    side: ClassVar[Side] = "eu"
    title = "Cluster organisations"
    publisher = "European Cluster Collaboration Platform, or the owner of the configured list"

    def requests(self, years: Iterable[int]) -> list[Request]:
        """The configured list and the decisions about it; none where no list is configured."""
        settings = _settings()
        if settings is None:
            return []
        decisions = Settings().organisation_decisions
        if not decisions:
            return [settings.request(self.name)]
        address = decisions if "://" in decisions else Path(decisions).resolve().as_uri()
        return [settings.request(self.name), Request(self.name, address, DECISIONS, "csv")]

    def check(self, file: ArchivedFile) -> None:
        """Refuse a list without the declared columns."""
        check_table(file, _decisions() if file.kind == DECISIONS else _configured(file))

    def profile(self, file: ArchivedFile) -> dict[str, float | list[str]]:
        """Number of organisations; single ones come and go. Of decisions nothing: people may decide as they like."""
        if file.kind == DECISIONS:
            return {}
        found = {row["organisation_id"] for _, row in table_rows(file, _configured(file))}
        return {"organisations": float(len(found))}

    def parse(self, files: Sequence[ArchivedFile], year: int | None) -> Parsed:
        """Read the list into the table `organisation` (columns COLUMNS, strings), one row an organisation, and the
        decisions into `decision` (DECISION_COLUMNS, strings). Nothing is read while no list is configured.

        An organisation that stands there several times, once a cluster, keeps all its clusters, codes and sectors.
        Clusters are given by their codes where the list's own names are declared or ours. Raises SourceFormatError for
        a row without an identifier.
        """
        settings = _settings()
        if settings is None:
            return Parsed({})
        found: dict[str, dict[str, str]] = {}
        decided: list[dict[str, str]] = []
        for file in files:
            if file.kind == DECISIONS:
                decided += [row for _, row in table_rows(file, _decisions())]
                continue
            for line, row in table_rows(file, settings):
                if not row["organisation_id"]:
                    raise SourceFormatError(f"{file.url}, line {line}: an organisation without an identifier")
                country = row.get("country_code", "").upper()
                row["country_code"] = _COUNTRIES.get(country, country)
                row["cluster"] = _clusters(row.get("cluster", ""), settings)
                known = found.setdefault(row["organisation_id"], row)
                for name in ("cluster", "industry_codes", "sectors"):
                    known[name] = _united(known.get(name, ""), row.get(name, ""))
        columns = {name: [row.get(name, "") for row in found.values()] for name in COLUMNS}
        decisions = {name: [row.get(name, "") for row in decided] for name in DECISION_COLUMNS}
        return Parsed({"organisation": _texts(columns), "decision": _texts(decisions)})


def _texts(columns: dict[str, list[str]]) -> pa.Table:
    return pa.table({name: pa.array(texts, pa.string()) for name, texts in columns.items()})


def _clusters(text: str, settings: TableSettings) -> str:
    """Names of clusters as codes; those of no cluster as they are, those declared to be left out without."""
    found = []
    for name in _united(text, "").split(";"):
        try:
            code = cluster_of(name, settings)
        except LookupError:
            found.append(name)
        else:
            found += [] if code is None else [str(code)]
    return ";".join(found)


def _united(known: str, more: str) -> str:
    parts = [part.strip() for text in (known, more) for part in text.replace("|", ";").split(";")]
    return ";".join(dict.fromkeys(part for part in parts if part))


def _settings() -> TableSettings | None:
    return table_settings(Settings().cluster_organisations, frozenset(COLUMNS), _REQUIRED)


def _decisions() -> TableSettings:
    """The decisions bear our own column names."""
    return TableSettings(address="", columns={name: name for name in DECISION_COLUMNS})


def _configured(file: ArchivedFile) -> TableSettings:
    settings = _settings()
    if settings is None:
        raise SourceFormatError(f"{file.url}: the setting that says how to read this list is gone")
    return settings
