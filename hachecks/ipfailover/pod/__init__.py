"""The pod's first process: it has Keepalived and the agent run by what the configuration files say now."""
