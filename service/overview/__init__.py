"""What people are shown of a stream beside its clusters; derived from it, and never an input to a decision."""
