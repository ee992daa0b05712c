"""``python3 -I FOLDER``: isolated from the caller's Python settings, and so without a package around it."""

import os.path  # and not pathlib: it takes longer to import than all of the probe
import sys
from importlib import import_module

if __name__ == "__main__":
    parent, name = os.path.split(os.path.dirname(os.path.abspath(__file__)))
    sys.path[0] = parent
    import_module(f"{name}.run").main(sys.argv[1:])
