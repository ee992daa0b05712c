"""The rendezvous server: registration over TCP, observation over UDP, introductions."""
