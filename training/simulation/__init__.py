"""Pictures drawn by code, which widen what each class of a task can look like."""
