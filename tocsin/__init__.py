"""The process: settings, authentication, HTTP, the command line."""
