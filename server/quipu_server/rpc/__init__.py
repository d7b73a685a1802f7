"""The service over gRPC: converts, validates, maps errors, and nothing else."""
