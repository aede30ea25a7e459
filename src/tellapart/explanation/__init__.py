"""Looking inside: the traces, and where a network looked."""
