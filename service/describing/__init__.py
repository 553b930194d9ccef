"""What a cluster is, in words and pictures: computed from its members when somebody asks, with no network."""
