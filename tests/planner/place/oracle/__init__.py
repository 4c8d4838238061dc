"""What rules and goals mean, once more: read from their documentation, sharing nothing with the algebra."""
