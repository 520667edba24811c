"""A message: what people and programs read of events, whichever notifier sends it."""
