"""The clients of docs/how-to/live.md, as npm has them, against real servers."""
