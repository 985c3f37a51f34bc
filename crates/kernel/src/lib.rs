//! How one operation is called, by whom, in which lane, and what it leaves behind.
