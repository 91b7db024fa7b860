"""The contracts of the published tables: their model, their compatibility, and the warnings they refer to."""

from etl.contracts.model import Column, Contract, contract, contracts, sort_rows

__all__ = ["Column", "Contract", "contract", "contracts", "sort_rows"]
