"""The commands of `python -m training`, one module each. Each loads Keras only when it runs."""
