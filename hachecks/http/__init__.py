"""HTTP: requests, how they are made, responses, and how these are judged."""
