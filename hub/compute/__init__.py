"""The compute ledger: leases before launch, a hash chain of events, tariffs, subsidy programmes, and their sums."""
