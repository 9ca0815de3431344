"""What the product can do, with no word of HTTP."""
