"""What was made from what: one JSON record beside every take, read back and held against the file."""

from labs.provenance.record import Output, ProvenanceError, Record
from labs.provenance.store import read_record, record_path, sha256_of, verify, write_record

__all__ = [
    "Output",
    "ProvenanceError",
    "Record",
    "read_record",
    "record_path",
    "sha256_of",
    "verify",
    "write_record",
]
