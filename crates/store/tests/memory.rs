//! The suite of all engines, on the one in memory.

mod suite;

use apus_store::Store;

suite::for_engine!(|env| async move { Store::memory(&env) });
