"""The publishers' datasets: one module each, addresses and reader together."""

from etl.sources.base import Dataset
from etl.sources.census_cbp import CensusCbp
from etl.sources.census_cbp_api import CensusCbpApi
from etl.sources.eurostat_sbs import EurostatSbs

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        CensusCbp(),
        CensusCbpApi(),
        EurostatSbs(),
    )
}

#: The reader of each source: the dataset that bears its name. It reads the files of all datasets of the source.
SOURCES: dict[str, Dataset] = {name: dataset for name, dataset in DATASETS.items() if dataset.source == name}
