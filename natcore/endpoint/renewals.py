"""Which sessions want another path, and when the server is to be asked for it.

What enters: doubts, and the instants at which the server has observed us. What leaves: the sessions that it
is asked about. What is always true: it is asked about none before it has seen us after the doubt began, for
else it would tell the peer where we were.
"""

from __future__ import annotations


class Renewals:
    """See the module. A session is known by its name."""

    def __init__(self) -> None:
        self._doubted_at: dict[str, float] = {}
        self._asked: set[str] = set()

    def doubt(self, session: str, now: float) -> None:
        """A path is broken."""
        self._doubted_at[session] = now

    def forget(self, session: str) -> None:
        """The session has ended, or the server has introduced the two anew."""
        self._doubted_at.pop(session, None)
        self._asked.discard(session)

    def is_unanswered(self, session: str) -> bool:
        """Whether the server was asked and has not answered: the connection may have been dead already."""
        return session in self._asked

    def due(self, observed_at: float) -> list[str]:
        """Hands over, once, the sessions that were in doubt when the server observed us last."""
        due = [session for session, since in self._doubted_at.items() if observed_at >= since]
        for session in due:
            del self._doubted_at[session]
        self._asked.update(due)
        return due
