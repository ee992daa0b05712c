"""``python3 -I FOLDER``: isolated from the caller's Python settings, and so without a package around it."""

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    folder = Path(__file__).resolve().parent
    sys.path[0] = str(folder.parent)
    import_module(f"{folder.name}.run").main(sys.argv[1:])
