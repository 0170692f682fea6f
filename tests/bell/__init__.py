"""Tests of the bell, in a real Chromium."""
