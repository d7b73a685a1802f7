"""Generated messages and stubs of quipu.v1."""
