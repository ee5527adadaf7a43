"""What the operator sees: names of metrics, tallies and their exposition, log lines, request ids, redaction.

Nothing here decides anything; the pipeline tells it what happened.
"""
