"""What was made from what: a record beside every take, all of a lab's records in one chain, labels in what is exported.

::

    record     one take or edit, as a value
    store      writes and reads it beside its film
    chain      provenance.jsonl: every entry names the digest of the one before
    pack       the evidence pack: films, records, chain and a summary in one zip
"""

from labs.provenance.chain import Chain, check_chain
from labs.provenance.record import Edit, Output, ProvenanceError, Record
from labs.provenance.store import log_edit, read_record, record_path, record_take, sha256_of, verify, write_record

__all__ = [
    "Chain",
    "Edit",
    "Output",
    "ProvenanceError",
    "Record",
    "check_chain",
    "log_edit",
    "read_record",
    "record_path",
    "record_take",
    "sha256_of",
    "verify",
    "write_record",
]
