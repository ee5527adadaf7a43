"""One request's way through the house: admit, authenticate, read, plan, attempt, relay, settle."""
