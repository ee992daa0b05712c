"""The sans-I/O protocol core: STUN, ICE checks, control messages, the registry. No socket, clock or task."""
