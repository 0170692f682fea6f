"""What happens without a caller: the worker and its jobs."""
