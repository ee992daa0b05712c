"""``python -m rendezvous``."""

from rendezvous.cli import main

main(prog_name="rendezvous")
