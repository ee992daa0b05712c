"""``python -m rendezvous``."""

from rendezvous.cli import main

if __name__ == "__main__":
    main()
