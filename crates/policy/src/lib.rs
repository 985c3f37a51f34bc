//! IAM policy documents to a decision. Knows nobody who stores them.
