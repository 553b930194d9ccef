"""A stream's way out and back: exported, trained on, moved to a new bundle, and replayed as it might have been."""
