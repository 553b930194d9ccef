"""Offline: learns an embedding, calibrates it, and writes a bundle. Never imports `service`."""
