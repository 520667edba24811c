"""What HTTP is made of: what is asked, what is answered, and how the answer is judged."""
