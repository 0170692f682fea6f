"""What Tocsin is measured against, and how."""
