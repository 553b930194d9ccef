"""Durable state: every Redis key, the one Function library, and the server that comes with firstseen."""
