"""The publishers' datasets: one module each, addresses and reader together."""

from etl.sources.base import Dataset
from etl.sources.eurostat_sbs import EurostatSbs

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (EurostatSbs(),)}
