"""Which files show the same photo? Copies, leaks between the splits, conflicting labels. Needs no network."""

from skinlib.audit.copies import Audit, audit, identified, score

__all__ = ["Audit", "audit", "identified", "score"]
