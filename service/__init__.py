"""Online: embeds each item, decides known, cluster or outlier, and keeps the stream's state."""
