//! What a user would try.
