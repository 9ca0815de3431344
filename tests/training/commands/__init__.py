"""The commands of the factory, as a person at a terminal calls them."""
