"""What a lab measures and delays with: programs that run in a node's network, each a file of its own.

``capture``, ``delay``, ``probe`` and ``stunserver`` need the standard library alone and import nothing of
ours; :mod:`netlab.instruments.launch` starts them.
"""
