"""The audit trail outside the spool: exported, chained, signed, searched and verified.

Events are born in the spool (`gateway.core.record`); nothing here adds one. What a line is, `core.audit_line` says.
"""
