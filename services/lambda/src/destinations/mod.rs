//! Who hears of the end of an event: destinations, which get a record of it, and the dead-letter queue, which gets the
//! event itself.
//!
//! [`kind`] is the table of services that can be told; [`invocation_record`] is what they read; [`letter`] is one such
//! record on its way, left in the outbox in the transaction that ends the event; [`deliver`] sends it, in the name
//! of the function's role; [`check`] asks for that permission when a destination is configured.

pub(crate) mod check;
pub(crate) mod deliver;
pub(crate) mod invocation_record;
pub(crate) mod kind;
pub(crate) mod letter;
