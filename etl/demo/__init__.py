"""Small built-in publishers with invented figures, in the exact formats of the real ones, to try the line with."""

from etl.demo.organisations import organisations_configured
from etl.demo.publishers import DEMO_YEARS, write_publishers

__all__ = ["DEMO_YEARS", "organisations_configured", "write_publishers"]
