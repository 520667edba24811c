"""VIP state as it is: the sources are looked at, become a view, and the view becomes metrics and a page."""
