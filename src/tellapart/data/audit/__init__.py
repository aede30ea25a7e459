"""The audit: what is wrong with a folder of pictures, before anything is learnt from it."""

from __future__ import annotations

from tellapart.data.audit.copies import KINDS, Copies, find_copies
from tellapart.data.audit.findings import Audit, Finding, audit
from tellapart.data.audit.signature import SIGNATURES

__all__ = ["KINDS", "SIGNATURES", "Audit", "Copies", "Finding", "audit", "find_copies"]
