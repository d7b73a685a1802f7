"""The service over gRPC: reads requests, calls the use cases, writes answers, maps errors."""
