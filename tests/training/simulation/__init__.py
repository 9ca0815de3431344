"""Tests of the drawings: that each draws what it says, and the same for the same random numbers."""
