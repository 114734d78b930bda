"""What is measured, each as a ratio or a figure that one command prints with the machine named."""
