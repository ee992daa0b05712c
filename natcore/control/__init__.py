"""The control protocol between client and rendezvous server: messages and their stream."""
