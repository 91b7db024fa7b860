"""Runs the line: units of work, a whole refresh, collecting a snapshot's files, the checked publication, rebuilding."""
