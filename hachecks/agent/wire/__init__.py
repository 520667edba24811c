"""What the agent sees on the segment: who else owns a VIP, who does not hear whom, and whose id is used by others."""
