"""Where a data root lies: a local folder or a bucket, its locks, and small files that carry their checksum."""

from etl.storage.base import TEMPORARY_PREFIX, Storage, hash_file, relative_path, size_on_disk

__all__ = ["TEMPORARY_PREFIX", "Storage", "hash_file", "relative_path", "size_on_disk"]
