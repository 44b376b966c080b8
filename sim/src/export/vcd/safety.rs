//! Signals of a safety unit: modes and faults of its CPUs, what their logic sees and wants, transistor, pins and relays.
//!
//! Groups, pins and contacts are bits of one vector, number 0 on the right. Bit `2 * relay + cpu - 1` is the coil or
//! contact of a relay that this CPU drives; a relay conducts while both of its contacts are closed.

use std::io::{self, Write};

use ::vcd::{IdCode, VarType, Writer};
use serde_json::Value;

use super::{Change, Names, number, state};

/// Modes of a CPU; without supply or in reset it is `off`.
pub(super) const MODES: Names = &["off", "starting", "ready", "normal", "configuration", "safe"];

/// Signals of one CPU.
#[derive(Clone, Copy)]
pub(super) struct CpuSignals {
    pub(super) mode: (IdCode, IdCode),
    /// How many faults it detected since it started, and the last one.
    pub(super) faults: IdCode,
    last_fault: IdCode,
    inputs: IdCode,
    outputs: IdCode,
    relays: IdCode,
}

/// Signals of one unit.
#[derive(Clone, Copy)]
pub(super) struct UnitSignals {
    pub(super) cpus: [CpuSignals; 2],
    pub(super) main: IdCode,
    pub(super) live: IdCode,
    pub(super) coils: IdCode,
    pub(super) contacts: IdCode,
}

/// Declares the signals of a unit in the scope of its node.
pub(super) fn signals<W: Write>(to: &mut Writer<W>) -> io::Result<UnitSignals> {
    Ok(UnitSignals {
        cpus: [cpu(to, "cpu1")?, cpu(to, "cpu2")?],
        main: to.add_wire(1, "main_transistor")?,
        live: number(to, 14, "live_pins")?,
        coils: number(to, 8, "coils")?,
        contacts: number(to, 8, "contacts")?,
    })
}

fn cpu<W: Write>(to: &mut Writer<W>, name: &str) -> io::Result<CpuSignals> {
    to.add_module(name)?;
    let signals = CpuSignals {
        mode: state(to, 3, "mode")?,
        faults: number(to, 16, "faults")?,
        last_fault: to.add_var(VarType::String, 1, "last_fault", None)?,
        inputs: number(to, 16, "inputs_on")?,
        outputs: number(to, 16, "outputs_on")?,
        relays: number(to, 4, "relays_on")?,
    };
    to.upscope()?;
    Ok(signals)
}

/// What a line about a unit says besides modes and faults.
pub(super) fn changes(unit: &UnitSignals, kind: &str, data: &Value) -> Vec<(IdCode, Change)> {
    let mask = |field: &str, width| Change::Number(mask(&data[field]), width);
    match (kind, cpu_of(unit, data)) {
        ("safety-main-transistor", _) => vec![(unit.main, Change::Bit(data["on"] == true))],
        ("safety-outputs", _) => vec![(unit.live, mask("live", 14))],
        ("safety-coils", _) => vec![(unit.coils, mask("fed", 8))],
        ("safety-contacts", _) => vec![(unit.contacts, mask("closed", 8))],
        ("safety-logic", Some(cpu)) => {
            vec![(cpu.inputs, mask("inputs", 16)), (cpu.outputs, mask("outputs", 16)), (cpu.relays, mask("relays", 4))]
        }
        ("safety-detected", Some(cpu)) => {
            vec![(cpu.last_fault, Change::Text(data["fault"].as_str().unwrap_or_default().to_owned()))]
        }
        _ => Vec::new(),
    }
}

/// The CPU that a line is about.
pub(super) fn cpu_of(unit: &UnitSignals, data: &Value) -> Option<CpuSignals> {
    let number = usize::try_from(data["cpu"].as_u64()?).ok()?;
    unit.cpus.get(number.checked_sub(1)?).copied()
}

/// A vector with the bits that a list names.
fn mask(members: &Value) -> i64 {
    let bits = members.as_array().into_iter().flatten().filter_map(Value::as_u64).filter(|bit| *bit < 63);
    bits.fold(0, |mask, bit| mask | 1 << bit)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_bits_from_the_right() {
        assert_eq!(mask(&json!([0, 1, 3, 13])), 0b10_0000_0000_1011);
        assert_eq!(mask(&json!([])), 0);
    }
}
