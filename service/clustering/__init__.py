"""The pure core: no IO, no clock, no asyncio, no torch."""
