"""Data roots and coherent tables for the tests of this folder."""

import pytest
from gate_cases import Tables
from snapshot_roots import folder_root, root, s3_root, s3_server
from snapshot_samples import facts, references

__all__ = ["folder_root", "root", "s3_root", "s3_server"]


@pytest.fixture(scope="module")
def year() -> Tables:
    """The tables of one year."""
    return facts(2017)


@pytest.fixture(scope="module")
def known() -> Tables:
    """What checks look codes up in."""
    return references()
