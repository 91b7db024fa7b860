"""The publishers' datasets: one module each, addresses and reader together."""

from etl.sources.base import Dataset
from etl.sources.bls_qcew import BlsQcew
from etl.sources.cbsa_delineation import CbsaDelineation
from etl.sources.census_cbp import CensusCbp
from etl.sources.census_cbp_api import CensusCbpApi
from etl.sources.cluster_organisations import ClusterOrganisations
from etl.sources.eurostat_national import EurostatSbsNational, EurostatSbsOvw
from etl.sources.eurostat_sbs import EurostatSbs
from etl.sources.eurostat_sbs_ebs import EurostatSbsEbs
from etl.sources.eurostat_toc import EurostatToc
from etl.sources.fr_urssaf import FrUrssaf
from etl.sources.naics_concordances import NaicsConcordances
from etl.sources.nuts_boundaries import NutsBoundaries
from etl.sources.nuts_changes import NutsChanges
from etl.sources.observatory import Observatory
from etl.sources.uk_bres import UkBres
from etl.sources.us_boundaries import UsBoundaries
from etl.sources.us_cluster_mapping import UsClusterMapping

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        CensusCbp(),
        CensusCbpApi(),
        BlsQcew(),
        UsClusterMapping(),
        CbsaDelineation(),
        NaicsConcordances(),
        EurostatSbs(),
        EurostatSbsEbs(),
        EurostatSbsNational(),
        EurostatSbsOvw(),
        EurostatToc(),
        UkBres(),
        FrUrssaf(),
        Observatory(),
        ClusterOrganisations(),
        NutsChanges(),
        NutsBoundaries(),
        UsBoundaries(),
    )
}

#: The reader of each source: the dataset that bears its name. It reads the files of all datasets of the source.
SOURCES: dict[str, Dataset] = {name: dataset for name, dataset in DATASETS.items() if dataset.source == name}
