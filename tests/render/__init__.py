"""What is rendered and redacted."""
