"""What is deployed: the proxy in front, and the files for engines."""
