"""What a router claims to do, held against what was measured of it.

A claim and a measurement are both a table from property to words, made by different code from different
sources: the claim from a :class:`~natcore.nat.NatBehavior`, the measurement from the probe's JSON, the
kernel's own countdowns and the words of foreign tools. A proof holds where the two tables are equal.
"""

from netlab.proof.compare import Proof, compare
from netlab.proof.subject import Subject

__all__ = ["Proof", "Subject", "compare"]
