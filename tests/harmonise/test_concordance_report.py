"""docs/concordances.md is what the tables say."""

from pathlib import Path

from tools.concordance_report import report

PAGE = Path(__file__).parents[2] / "docs" / "concordances.md"


def test_the_page_is_not_stale() -> None:
    """Write it again with: python -c "from tools.concordance_report import report; print(report(), end='')"."""
    assert PAGE.read_text("utf-8") == report()
