"""The network: sockets, TLS, names, and the protocols that a connection begins with."""
