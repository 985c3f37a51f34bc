//! Ordered, transactional, durable key-value storage: tuple keys, layers, engines and blobs.
