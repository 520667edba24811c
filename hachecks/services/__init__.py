"""How the services that are told speak: their protocols, formats and limits."""
