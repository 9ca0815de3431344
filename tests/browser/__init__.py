"""The pages in a real browser: what a script adds, and that nothing is lost without one."""
