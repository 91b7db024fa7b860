"""Fixtures that every test may use."""

from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine takes its time; that is no fault of the example.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

SHARED = Path(__file__).parent.parent.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the publishers' real files, beside the checkout."""
    if not (SHARED / "mirror" / "index.csv").is_file():
        pytest.skip("the publishers' real files (../shared) are not here")
    return SHARED
