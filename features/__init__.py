"""Facts, and the one definition of every feature. Knows nothing of models, HTTP or MLflow."""
