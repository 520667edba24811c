"""Pictures of plans, as SVG: who has which VIP, and who takes it over."""
