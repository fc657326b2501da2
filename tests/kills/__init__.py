"""Kills what the ledger's truth hangs on, with -9 at random points, and then compares the books with what happened."""
