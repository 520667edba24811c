"""The commands of `hacheck ipfailover`, one module each, and what they share."""
