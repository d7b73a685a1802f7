"""For all tests."""

import quipu_server  # noqa: F401  before gRPC, which would else follow the forks of tests, and crash in some
