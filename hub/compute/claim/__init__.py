"""Claims: what is asked of a payer for a period, frozen once, with an evidence pack that anybody can check."""
