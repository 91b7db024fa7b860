"""Settings: from variables CLUSTERBRIDGE_… (or arguments), with defaults that suit the publishers' servers."""

from typing import Annotated, Any

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from etl.errors import UsageError

Band = tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=1)]]


class Settings(BaseSettings):
    """What a run may be told. Raises UsageError naming the variable that cannot be used, never its value."""

    model_config = SettingsConfigDict(env_prefix="CLUSTERBRIDGE_", frozen=True, extra="forbid")

    data: str = Field("./data", description="The data root: a folder or s3://bucket/prefix.")
    mirror: str | None = Field(None, description="Address that stands in for the publishers, where none is named.")
    census_api_key: SecretStr | None = Field(None, description="Key of the Census Bureau's API.")
    common_year_window: int = Field(2, ge=0, description="Years that the two sides of a common year may lie apart.")

    workers: PositiveInt = Field(2, description="Processes that build source-years and years.")
    observatory: str | None = Field(None, description="JSON file that describes a table of a cluster observatory.")
    cluster_organisations: str | None = Field(
        None, description="JSON file that describes a list of cluster organisations."
    )
    organisation_decisions: str | None = Field(
        None, description="CSV with what people decided about organisations: organisation_id, cluster_code, reason."
    )

    connections_per_host: PositiveInt = Field(4, description="Requests under way at one host at a time.")
    connect_timeout: PositiveFloat = Field(10, description="Seconds to wait for a connection.")
    read_timeout: PositiveFloat = Field(60, description="Seconds to wait for the next bytes of an answer.")
    stall_seconds: PositiveFloat = Field(60, description="Seconds in which at least `stall_bytes` must arrive.")
    stall_bytes: PositiveInt = Field(16384, description="Bytes that must arrive in `stall_seconds`.")
    retries: int = Field(4, ge=0, description="Further tries after 429, 5xx and broken connections.")
    backoff: PositiveFloat = Field(1, description="Seconds before the first further try; doubled each time.")
    backoff_max: PositiveFloat = Field(60, description="Seconds between two tries at most.")
    host_failures_max: PositiveInt = Field(8, description="Failed addresses in a row that mean the host is down.")
    fetch_budget: PositiveFloat = Field(3600, description="Seconds that all requests of one run may take.")

    download_bytes_max: PositiveInt = Field(4 << 30, description="Largest body that is taken.")
    unpacked_bytes_max: PositiveInt = Field(32 << 30, description="Largest size of a body once unpacked.")
    compression_ratio_max: PositiveInt = Field(200, description="Unpacked bytes per packed byte, from 64 MiB on.")
    bytes_band: Band = Field((0.5, 3.0), description="Size of a body as a share of its last good copy.")
    rows_band: Band = Field((0.8, 3.0), description="Rows of a body as a share of its last good copy.")
    amounts_band: Band = Field((0.8, 1.5), description="Totals of a body as a share of its last good copy.")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            name = "_".join(str(part) for part in first["loc"]) or "settings"
            raise UsageError(f"CLUSTERBRIDGE_{name.upper()}: {first['msg']}") from None
        except SettingsError as error:
            raise UsageError(f"a variable CLUSTERBRIDGE_… cannot be read: {error}") from None
