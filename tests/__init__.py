"""What must hold, in the order of the tree that it is about."""
