"""What is learned or decided. Knows nothing of how it is trained, or asked over HTTP."""
