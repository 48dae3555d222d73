//! Makes the `:authority` that edgecore sends acceptable to `h2`.
