"""Numba, ahead of time: what is compiled, where it is kept, and when it is made."""
