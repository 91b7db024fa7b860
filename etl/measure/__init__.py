"""From clusters to measures: the American rule, the European rule, the common rule, and how ours meet the portals'."""

from etl.measure.common import measure_common
from etl.measure.rules import Rules
from etl.measure.year import measure_year

__all__ = ["Rules", "measure_common", "measure_year"]
