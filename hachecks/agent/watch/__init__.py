"""Watches: what tells the agent to run a check at once, before its interval has passed; never a verdict."""
