//! What the safety frames cost: times of the update with them on the bus and without them.
//!
//! Safety units exchange SimpleCAN frames on the bus of the pumps. Where they do in a run with an update, the same scenario
//! is run once more with nothing else changed but that these frames take no time on the bus. Nothing is judged by that.

use serde::{Deserialize, Serialize};

use crate::number::Millis;

/// Times of the update with the safety frames on the bus, and of a second run without them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SafetyFrames {
    /// The times; none where nothing is compared.
    pub times: Vec<FramesTime>,
    /// Why nothing is compared; empty where something is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub not_compared: String,
}

/// A time of the update with the safety frames on the bus and without them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FramesTime {
    /// What takes that time: [`crate::BUDGET_PUMP_UPDATE`], the longest of all pumps, or [`crate::BUDGET_CAMPAIGN`].
    pub id: String,
    /// With the safety frames, as in all other parts of the result.
    pub with_ms: Millis,
    /// Without them.
    pub without_ms: Millis,
    /// `with_ms` less `without_ms`.
    pub difference_ms: Millis,
}

impl FramesTime {
    /// The time `id` of both runs.
    #[must_use]
    pub fn new(id: &str, with_ms: Millis, without_ms: Millis) -> Self {
        Self { id: id.to_owned(), with_ms, without_ms, difference_ms: difference(with_ms, without_ms) }
    }
}

fn difference(with: Millis, without: Millis) -> Millis {
    Millis::from_signed_nanos(with.as_nanos().saturating_sub(without.as_nanos()))
}

impl SafetyFrames {
    /// Nothing is compared, and this is why.
    #[must_use]
    pub fn not_compared(why: String) -> Self {
        Self { times: Vec::new(), not_compared: why }
    }

    /// What is wrong with it, if anything is.
    pub(crate) fn audit(&self) -> Result<(), String> {
        if self.times.is_empty() == self.not_compared.is_empty() {
            return Err("it has either times or a reason why there are none".to_owned());
        }
        let is_wrong = |time: &&FramesTime| time.difference_ms != difference(time.with_ms, time.without_ms);
        match self.times.iter().find(is_wrong) {
            Some(time) => Err(format!("{}: the difference is not that of its times", time.id)),
            None => Ok(()),
        }
    }
}
