"""Training: epochs, optimisers, schedules, what is watched, and what must be remembered."""
