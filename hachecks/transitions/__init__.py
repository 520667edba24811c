"""What Keepalived said of its instances: recorded in a journal, read from a FIFO, put in order in a history."""
