"""HTTP: what a dashboard draws: the map, the timeline, and how the known classes fare."""
