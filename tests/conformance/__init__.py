"""flyball's operations against the test cases of standards."""
