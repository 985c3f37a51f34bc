//! What an API model says, as static tables, and the dynamic value that travels between bytes and types.
