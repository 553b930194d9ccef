"""DBSTREAM's compiled inner loops; state.py describes the arrays they work on, entries.py is what Python calls."""
