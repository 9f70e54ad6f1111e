"""`stance train` for each kind of network: its options, its data, and what is printed."""
