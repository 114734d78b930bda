"""Fit, judge, publish. Knows nothing of HTTP."""
