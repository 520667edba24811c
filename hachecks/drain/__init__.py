"""The drain of a node: its rank is lowered by a file that Keepalived tracks, and its VIPs go to other nodes."""
