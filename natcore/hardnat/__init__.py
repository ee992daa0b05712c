"""Hard NATs without I/O: what two sides do whose NATs keep plain connectivity checks from meeting.

:func:`plan` chooses a technique from what both sides measured, :class:`HardAttempt` carries it out within a
:class:`HostBudget`. The agent that sends real checks is elsewhere.
"""

from natcore.hardnat.attempt import AttemptState, HardAttempt, Probe, VerifiedAddress
from natcore.hardnat.behavior import MAX_SAMPLES, PortSample, SideSummary
from natcore.hardnat.budget import AttemptBudget, HostBudget
from natcore.hardnat.limits import HardNatLimits
from natcore.hardnat.planner import in_words, plan
from natcore.hardnat.plans import GiveUpReason, Plan, Role, Technique

__all__ = [
    "MAX_SAMPLES",
    "AttemptBudget",
    "AttemptState",
    "GiveUpReason",
    "HardAttempt",
    "HardNatLimits",
    "HostBudget",
    "Plan",
    "PortSample",
    "Probe",
    "Role",
    "SideSummary",
    "Technique",
    "VerifiedAddress",
    "in_words",
    "plan",
]
