//! The discrete-event kernel: clock, agenda, handlers, trace, snapshots.
//!
//! It knows events, records and a bevy `World`, and no word of what is simulated (`tests/kernel_independence.rs`).
//!
//! ```text
//!   agenda --earliest event--> handler of its kind --changes--> World
//!                                  |  schedules events          |
//!                                  +--records--> trace --> observers (checks, triggers, recorders)
//! ```
//! Words: an *event* is something that will happen; a *record* is something that happened; a *phase* orders events of
//! one instant; a *handler* is the one function for a kind of event; an *observer* sees every record after the event
//! that wrote it; a *snapshot* is the state of a whole model at one instant, from which a run can be forked; a *digest*
//! is a hash of what decides the future, so that two runs with equal ones go on alike.

mod agenda;
mod model;
mod random;
mod scoped;
mod snapshot;
mod time;
mod trace;

#[cfg(test)]
mod tests;

pub use agenda::{Agenda, Event};
pub use model::{Builder, Context, Halt, Model};
pub use random::{Stream, hash_stream, stream};
pub use scoped::Scoped;
pub use snapshot::Snapshot;
pub use time::{SimTime, Span};
pub use trace::{Fingerprint, Record, Trace, Words};
