"""All streams of a process: opened at their first use, closed when another needs the place."""
