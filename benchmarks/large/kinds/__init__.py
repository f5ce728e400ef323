"""Each module makes one kind of network and its queries: `make(folder)`."""
