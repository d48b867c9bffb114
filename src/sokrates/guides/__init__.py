"""Guides: what may be written next, so that an action cannot be malformed, or cannot be invalid."""
