//! What travels on the CAN bus of a cooling unit: ids, cyclic messages, ISO-TP, UDS, image header.
//!
//! ```text
//!   image (header.rs)
//!     | 1 KB blocks
//!   UDS messages (uds.rs)         cyclic messages (cyclic.rs, cooling.dbc)
//!     | up to 1026 bytes            | 3 and 8 bytes
//!   ISO-TP (isotp.rs)               |
//!     +-------------+---------------+
//!                   |  frames (frame.rs) with ids (ids.rs)
//!                 TxQueue (txqueue.rs): what the mailboxes cannot take yet
//! ```
//! Everything is sans-IO: functions from bytes to values and state machines that are told the time.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod cyclic;
pub mod frame;
pub mod header;
pub mod ids;
pub mod isotp;
pub mod txqueue;
pub mod uds;

pub use frame::Frame;
