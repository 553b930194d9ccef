"""The report of a replay: frozen values that go to JSON and back, a table for the terminal, and a page.

records     the values, and JSON of them: all that the page is drawn from
pictures    what the figures show, as numbers
markup      HTML and SVG as text, hostile text included
timeline, curves, delays, confusion, plane      one figure each
page        the page, in one file
table       the table
"""
