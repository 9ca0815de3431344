"""The sections of a bundle's card: each module turns a part of the manifest into Markdown."""
