"""What is on the segment: the packets by which nodes ask and answer for addresses, and the adverts of VRRP."""
