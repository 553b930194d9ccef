"""The ways in and out: HTTP, the ingest WebSocket, the watch WebSocket."""
