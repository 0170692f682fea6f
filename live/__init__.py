"""Who is told, now: hints in, waiting subscriptions out."""
