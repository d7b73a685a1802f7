"""What the clients cost over the generated stubs."""
