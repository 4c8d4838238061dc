"""Plans a `peers-snapshot/1` file the way the product plans, and says what that took."""
