"""What a model is. Training writes bundles, the registry reads them, and both go through this room alone."""
