"""One stream, one writer: what waits is embedded, decided, committed, and only then answered."""
