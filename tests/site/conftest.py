"""Data roots for the tests of this folder."""

from snapshot_roots import folder_root, root, s3_root, s3_server

__all__ = ["folder_root", "root", "s3_root", "s3_server"]
