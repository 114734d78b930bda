"""HTTP and nothing else. Knows nothing of training."""
