"""The group: nodes that share VIPs, what each says of itself, and what that comes to together."""
