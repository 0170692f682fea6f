"""The example applications of examples/."""
