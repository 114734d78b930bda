"""A brief to try, and a script that asks the real service."""
