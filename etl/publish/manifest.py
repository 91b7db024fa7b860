"""The manifest of a snapshot: what it holds, what it was made from, and the hash of every file. Written last."""

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from etl.errors import IntegrityError
from etl.storage.checksummed import json_bytes, verified_json, with_checksum

#: Version of the manifest's own form; a change that breaks readers is a new major version.
MANIFEST_FORMAT = "1.0"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class FileEntry(_Model):
    """One file of the snapshot; its path is the key, relative to the snapshot's folder."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the bytes.")
    bytes: int = Field(ge=0, description="Size in bytes.")
    rows: int | None = Field(default=None, description="Rows of a table's file; null for documents.")
    inputs_id: str | None = Field(default=None, description="Hash of the inputs and code behind a table's file.")


class TableEntry(_Model):
    """One table of the snapshot."""

    title: str = Field(description="Name of the table for people.")
    contract_version: str = Field(description="Semantic version of the table's contract.")
    rows: int = Field(ge=0, description="Rows in all files of the table.")
    files: int = Field(ge=1, description="Number of files of the table.")


class SourceFileState(_Model):
    """One file of a publisher that the snapshot was made from, as of its snapshot date."""

    dataset: str = Field(description="Dataset as the command line names it.")
    url: str = Field(description="The publisher's address.")
    year: int | None = Field(default=None, description="Reference year; null for files of no single year.")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the bytes as archived.")
    bytes: int = Field(ge=0, description="Size in bytes.")
    retrieved_at: str | None = Field(
        default=None, description="When these bytes were last confirmed by the publisher (UTC)."
    )
    is_stale: bool = Field(
        default=False, description="The publisher could not confirm these bytes; the last good ones stand."
    )
    stale_reason: str | None = Field(default=None, description="Why the file is stale.")


class GateResult(_Model):
    """What the validation gate said; details stand in validation/."""

    declared: int = Field(default=0, ge=0, description="Expectations declared for the tables checked.")
    executed: int = Field(default=0, ge=0, description="Expectations executed; equal to declared.")
    warnings: tuple[str, ...] = Field(default=(), description="Expectations of severity warning that failed, in words.")
    failures: tuple[str, ...] = Field(
        default=(), description="Critical expectations that failed, in words: only where a person released the version."
    )
    released_by: str | None = Field(
        default=None, description="Who released the version although the gate refused it, and when; null otherwise."
    )


class Environment(_Model):
    """Where the snapshot was built; the same environment gives the same bytes."""

    python: str = Field(description="Python version.")
    machine: str = Field(description="CPU architecture.")
    libraries: dict[str, str] = Field(default_factory=dict, description="Versions of the libraries that compute.")


class Manifest(_Model):
    """What a version holds. A version exists when its manifest does."""

    manifest_format: str = Field(default=MANIFEST_FORMAT, description="Version of the form of this file.")
    version: str = Field(description="YYYY-MM-DD, or YYYY-MM-DD.N for the N-th version of that date.")
    previous: str | None = Field(description="The version that changes.json and table revision compare with.")
    snapshot_date: str = Field(description="The day the snapshot was asked for, as of which it is built.")
    published_at: str = Field(description="When it was published (UTC).")
    content_id: str = Field(description="Hash over inputs, code and contracts; equal ids mean that nothing changed.")
    code_id: str = Field(description="Hash of the code that built the tables.")
    is_invented: bool = Field(
        default=False, description="True where figures are invented, as in the demo; never to be quoted."
    )
    tables: dict[str, TableEntry] = Field(description="Tables by name.")
    files: dict[str, FileEntry] = Field(description="Every file but this one, by path in the snapshot's folder.")
    source_files: tuple[SourceFileState, ...] = Field(
        default=(), description="The publishers' files behind the tables."
    )
    gate: GateResult = Field(description="Result of the validation gate.")
    changes: dict[str, dict[str, int]] = Field(
        default_factory=dict, description="Cells that changed since `previous`, by table and kind."
    )
    notes: tuple[str, ...] = Field(default=(), description="Sentences of the run worth keeping.")
    environment: Environment = Field(description="Where the snapshot was built.")

    def to_bytes(self) -> bytes:
        """Serialise, with_checksum: `checksum` is the SHA-256 of all the rest."""
        return with_checksum(self.model_dump(mode="json"))

    @classmethod
    def from_bytes(cls, data: bytes, path: str) -> "Manifest":
        """Read a manifest. Raises IntegrityError naming `path` where a single byte is not as written."""
        content = verified_json(data, path)
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise IntegrityError(f"{path} is damaged ({str(error).splitlines()[0]})") from error

    def table_files(self, table: str) -> dict[str, FileEntry]:
        """Files of one table by path, in order of their names. Raises KeyError for a table that is not there."""
        if table not in self.tables:
            raise KeyError(table)
        return {path: entry for path, entry in sorted(self.files.items()) if path.startswith(f"{table}/")}


def manifest_json_schema() -> bytes:
    """Return the JSON Schema of a manifest, generated from its model."""
    schema = Manifest.model_json_schema(mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["properties"]["checksum"] = {
        "type": "string",
        "pattern": "^[0-9a-f]{64}$",
        "description": "SHA-256 of this file without this field, keys sorted, one space of indent.",
    }
    schema["required"] = sorted([*schema["required"], "checksum"])
    return json_bytes(schema)
