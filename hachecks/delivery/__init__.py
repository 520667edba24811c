"""The delivery of recorded events to notifiers, at least once each, and what administrators see and do of it."""
