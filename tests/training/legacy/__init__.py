"""Legacy files: what is in them, and what a hostile one may try."""
