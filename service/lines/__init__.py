"""A file of items to a file of verdicts, line by line, such that a run which was cut can go on where it was.

sources.py     lines of files or a pipe -> records, each with the place after it
parsing.py     what a line says -> an item, or why it is none
output.py      lines of verdicts, and how a file of them is cut back to a place
checkpoint.py  place in the input, place in the output, counts: written after the output is on disk
tally.py       what has come of it so far, for people
"""
