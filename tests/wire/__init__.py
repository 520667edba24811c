"""Tests of what is on the segment."""
