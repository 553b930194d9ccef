"""Measurements against peers: one file a question, a table for people and JSON for machines."""
