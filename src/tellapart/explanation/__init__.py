"""Looking inside: the traces."""
