"""The sections of a card, of a manifest that has every field."""
