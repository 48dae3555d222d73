//! Helpers for the integration tests: processes that end with their test, and free ports.
