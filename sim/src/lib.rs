//! Digital twin of a cooling system: scenario file in, evidence out.
//!
//! ```text
//!   scenario/ --builds--> twin = kernel/ + bus/ + power/ + plant/ + faults/ + hosts/ + checks/ --> reports
//! ```

pub mod bus;
pub mod campaign;
pub mod checks;
pub mod cli;
pub mod event;
pub mod evidence;
pub mod export;
pub mod faults;
pub mod hosts;
pub mod kernel;
pub mod measure;
pub mod node;
pub mod plant;
pub mod power;
pub mod record;
pub mod regression;
pub mod run;
pub mod safety;
pub mod scenario;
pub mod search;
pub mod sweep;
pub mod twin;
