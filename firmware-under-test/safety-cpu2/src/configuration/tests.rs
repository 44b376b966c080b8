//! Every rule of the configuration at its boundaries.
//!
//! SSR-008, SSR-010, SSR-016, SSR-028, SSR-029, SSR-031, SSR-063, SSR-067, SSR-074, SSR-077.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::testing::*;

/// The verdict on these bytes in the configuration area.
fn check(bytes: &[u8]) -> Result<Settings, Refusal> {
    let flash = Flash::new(bytes);
    let mut check = Check::new(SERIAL);
    for _ in 0..20 {
        if let Some(verdict) = check.slice(&flash) {
            return verdict;
        }
    }
    panic!("no verdict");
}

fn defect(bytes: &[u8]) -> Option<Defect> {
    match check(bytes) {
        Ok(_) => None,
        Err(Refusal::Defect(defect)) => Some(defect),
        Err(Refusal::Rest(trip)) => panic!("{trip:?}"),
    }
}

fn of(spec: &ConfigurationSpec) -> Option<Defect> {
    defect(&spec.bytes())
}

fn spec() -> ConfigurationSpec {
    ConfigurationSpec::two_nodes(SectionSpec::empty())
}

/// An own section changed by `change`.
fn section_with<T>(change: impl Fn(&mut SectionSpec) -> T) -> Option<Defect> {
    let mut spec = spec();
    change(&mut spec.nodes[0].section);
    of(&spec)
}

/// Input on pin 0, output on pin 1, a pair of inputs on pins 2 and 3.
fn wired() -> SectionSpec {
    let mut section = SectionSpec::empty();
    section
        .pin(0, Role::Input, Signal::High, Signal::Low)
        .pin(1, Role::Output, Signal::High, Signal::Low)
        .pin(2, Role::Input, Signal::High, Signal::Low)
        .pin(3, Role::Input, Signal::Low, Signal::High);
    section.inputs = vec![single(0), redundant(0b1100, 100)];
    section.outputs = vec![(0b10, 1)];
    section
}

fn wired_with<T>(change: impl Fn(&mut SectionSpec) -> T) -> Option<Defect> {
    let mut spec = ConfigurationSpec::two_nodes(wired());
    change(&mut spec.nodes[0].section);
    of(&spec)
}

#[test]
fn good_configurations_are_taken_with_all_their_values() {
    let bytes = ConfigurationSpec::two_nodes(wired()).bytes();
    let settings = check(&bytes).unwrap();
    assert_eq!(settings.hash, hash_of(&bytes));
    assert_eq!((settings.feeds.supply_min, settings.feeds.supply_max), (18_000, 30_000));
    assert_eq!((settings.mismatch, settings.mismatch_debounce, settings.relay_move), (1_000, 20, 30));
    assert_eq!(settings.network.nodes.len(), 2);
    assert_eq!((settings.network.own, settings.network.radio_period), (0, 10));
    assert_eq!(settings.input_groups.len(), 2);
    assert_eq!(settings.input_groups[1].discrepancy, 100);
    assert_eq!(settings.output_groups.as_slice(), [0b10]);
}

/// SSR-063: sums, magic, format, length.
#[test]
fn header_defects_are_told_in_order() {
    let good = spec().bytes();
    assert_eq!(defect(&good), None);
    let spoilt = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] ^= value;
        defect(&bytes)
    };
    assert_eq!(spoilt(header::MAGIC, 1), Some(Defect::Missing));
    assert_eq!(spoilt(header::FORMAT, 2), Some(Defect::Format));
    assert_eq!(spoilt(header::LENGTH, 1), Some(Defect::Length));
    assert_eq!(spoilt(header::LENGTH + 2, 1), Some(Defect::Length));
    assert_eq!(spoilt(good.len() - 1, 1), Some(Defect::Crc));
    assert_eq!(spoilt(header::RESPONSE, 1), Some(Defect::Crc));
    assert_eq!(defect(&[0xFF; 64]), Some(Defect::Missing));
    let mut other_hash = good.clone();
    other_hash[header::HASH] ^= 1;
    let end = good.len() - 4;
    let crc = crc_flash(&other_hash[..end]);
    put(&mut other_hash, end, &crc.to_le_bytes());
    assert_eq!(defect(&other_hash), Some(Defect::Hash));
}

/// SSR-063: a configuration that cannot be read is no configuration, wherever the flash ends to answer.
#[test]
fn an_unreadable_configuration_is_told_as_such() {
    let bytes = spec().bytes();
    for end in [0, 4, 63, 64, 104, bytes.len() - 1, bytes.len(), 0x7FFF] {
        let mut flash = Flash::new(&bytes);
        std::sync::Arc::make_mut(&mut flash.0).truncate(CONFIGURATION_AT as usize + end);
        let mut check = Check::new(SERIAL);
        let verdict = (0..20).find_map(|_| check.slice(&flash));
        assert!(matches!(verdict, Some(Err(Refusal::Defect(Defect::Unreadable)))), "readable up to {end}");
    }
}

/// SSR-063: all single flips of a configuration are found by the sums.
#[test]
fn every_flip_is_refused() {
    let good = spec().bytes();
    for bit in 0..8 * good.len() {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(check(&bytes).is_err(), "bit {bit}");
    }
}

/// The area behind the configuration must be erased.
#[test]
fn a_rest_that_is_not_erased_is_refused() {
    let mut bytes = spec().bytes();
    let length = bytes.len();
    bytes.resize(CONFIGURATION_LEN_MOST as usize, 0xFF);
    for place in [length, length + 200, CONFIGURATION_LEN_MOST as usize - 1] {
        let mut spoilt = bytes.clone();
        spoilt[place] = 0xFE;
        assert!(matches!(check(&spoilt), Err(Refusal::Rest(_))), "{place}");
    }
}

/// Fields that must be 0, with good sums.
#[test]
fn reserved_fields_must_be_zero() {
    let body = ConfigurationSpec::two_nodes(wired()).body();
    let lines = header::LEN;
    let own = header::LEN + 2 * node::LEN;
    let pins = own + section::LEN;
    let groups = pins + section::PINS_LEN;
    let places = [
        header::NODES + 1,
        header::RESERVED,
        header::RESERVED + 15,
        lines + node::RESERVED,
        lines + node::LEN + node::RESERVED + 1,
        own + section::RESERVED,
        own + section::RESERVED + 7,
        pins + pin::RESERVED,
        groups + input_group::RESERVED,
        groups + 2 * input_group::LEN + output_group::RESERVED,
    ];
    for place in places {
        let mut spoilt = body.clone();
        spoilt[place] = 0x80;
        assert_eq!(defect(&seal(spoilt)), Some(Defect::Reserved), "byte {place}");
    }
    for flags in [lines + node::FLAGS, groups + input_group::FLAGS] {
        let mut spoilt = body.clone();
        spoilt[flags] |= 2;
        assert_eq!(defect(&seal(spoilt)), Some(Defect::Reserved));
    }
}

/// SSR-067: network id 0, another serial number, swapped numbers.
#[test]
fn ids_and_serial_numbers() {
    assert_eq!(of(&ConfigurationSpec { network_id: 0, ..spec() }), Some(Defect::NetworkId));
    assert_eq!(of(&ConfigurationSpec { network_id: 1, ..spec() }), None);
    let with_serials = |own: u32, other: u32| {
        let mut spec = spec();
        (spec.nodes[0].serial, spec.nodes[1].serial) = (own, other);
        of(&spec)
    };
    assert_eq!(with_serials(SERIAL + 1, OTHER_SERIAL), Some(Defect::NotForThisUnit));
    assert_eq!(with_serials(OTHER_SERIAL, SERIAL), None, "the second section is this unit's");
    assert_eq!(with_serials(SERIAL, SERIAL), Some(Defect::Nodes));
    assert_eq!(with_serials(SERIAL, 0), Some(Defect::Nodes));
    assert_eq!(with_serials(SERIAL, u32::MAX), Some(Defect::Nodes));
    assert_eq!(of(&ConfigurationSpec { nodes: vec![], ..spec() }), Some(Defect::Nodes));
    let mut spec = spec();
    let line = spec.nodes[1].clone();
    for i in 0..15u32 {
        let node =
            NodeSpec { serial: 100 + i, can_index: 0xFF, can_entries: 0, radio: false, memories: 0, ..line.clone() };
        spec.nodes.push(node);
    }
    assert_eq!(of(&spec), Some(Defect::Nodes), "17 nodes");
    spec.nodes.pop();
    assert_eq!(of(&spec), None, "16 nodes");
}

/// SSR-074, SSR-077: the radio at its boundaries.
#[test]
fn radio_limits() {
    let with = |timeout, period, memories, radio| {
        let mut spec = spec();
        (spec.radio_timeout, spec.radio_period) = (timeout, period);
        (spec.nodes[1].memories, spec.nodes[1].radio) = (memories, radio);
        // Long enough for any time-out that is allowed.
        spec.response = 120_000;
        of(&spec)
    };
    for (timeout, period, good) in [
        (3, 2, false),
        (4, 2, true),
        (5, 2, true),
        (59_999, 10, true),
        (60_000, 30_000, true),
        (60_001, 10, false),
        (100, 50, true),
        (100, 51, false),
        (100, 1, false),
        (100, 0, false),
    ] {
        assert_eq!(
            with(timeout, period, 32, true),
            if good { None } else { Some(Defect::Radio) },
            "{timeout} {period}"
        );
    }
    for memories in 0..=300u16 {
        let good = memories % 16 == 0 && memories <= 256;
        assert_eq!(with(100, 10, memories, true), if good { None } else { Some(Defect::Radio) }, "{memories}");
    }
    assert_eq!(with(100, 10, 0xFFF0, true), Some(Defect::Radio));
    assert_eq!(with(100, 10, 16, false), Some(Defect::Radio), "memories without radio");
    assert_eq!(with(100, 10, 0, false), None);
    let mut three = spec();
    three.nodes.push(NodeSpec { serial: 7, can_index: 2, can_entries: 0, ..three.nodes[1].clone() });
    three.radio_period = 2;
    assert_eq!(of(&three), Some(Defect::Radio), "three senders need 3 ms");
    three.radio_period = 3;
    assert_eq!(of(&three), None);
}

/// SimpleCAN settings.
#[test]
fn can_limits() {
    for (age, good) in [(19, false), (20, true), (35, true), (1_000, true), (1_001, false)] {
        assert_eq!(of(&ConfigurationSpec { can_age: age, ..spec() }), if good { None } else { Some(Defect::Can) });
    }
    let with = |entries, index| {
        let mut spec = spec();
        (spec.nodes[1].can_entries, spec.nodes[1].can_index) = (entries, index);
        of(&spec)
    };
    assert_eq!(with(0b11, 1), Some(Defect::Can), "entry 0 has two owners");
    assert_eq!(with(1 << 13, 15), None);
    assert_eq!(with(1 << 14, 1), Some(Defect::Can));
    assert_eq!(with(2, 16), Some(Defect::Can));
    assert_eq!(with(2, 0), Some(Defect::Nodes), "the same index twice");
    assert_eq!(with(2, NO_CAN), Some(Defect::Can), "an entry without CAN");
    assert_eq!(with(0, NO_CAN), None);
}

/// Sections lie one behind the other, without gap or overlap, up to the CRC.
#[test]
fn sections_must_be_in_place() {
    let body = spec().body();
    let line = |place: usize| header::LEN + place * node::LEN;
    for (at, change) in [
        (line(0) + node::OFFSET, 4u8),
        (line(1) + node::OFFSET, 4),
        (line(0) + node::LENGTH, 4),
        (line(1) + node::LENGTH, 12),
    ] {
        let mut spoilt = body.clone();
        spoilt[at] = spoilt[at].wrapping_add(change);
        assert_eq!(defect(&seal(spoilt)), Some(Defect::Section), "byte {at}");
    }
    let mut longer = body.clone();
    longer.extend([0; 4]);
    assert_eq!(defect(&seal(longer)), Some(Defect::Section));
    let mut huge = body.clone();
    put(&mut huge, line(0) + node::LENGTH, &u32::MAX.to_le_bytes());
    assert_eq!(defect(&seal(huge)), Some(Defect::Section));
    let mut counted = body;
    counted[header::LEN + 2 * node::LEN + section::INPUT_GROUPS] = 1;
    assert_eq!(defect(&seal(counted)), Some(Defect::Section), "a count that does not fit the length");
}

/// SSR-008, SSR-010: 7.0 to 30.0 V, 8.0 to 33.0 V, minimum below maximum.
#[test]
fn supply_limits() {
    let with = |low, high| {
        section_with(|section| {
            section.limit(section::SUPPLY_MIN, low).limit(section::SUPPLY_MAX, high);
        })
    };
    for (low, high, good) in [
        (6_900, 20_000, false),
        (6_999, 20_000, false),
        (7_000, 20_000, true),
        (7_100, 20_000, true),
        (29_900, 33_000, true),
        (30_000, 33_000, true),
        (30_001, 33_000, false),
        (30_100, 33_000, false),
        (7_000, 7_900, false),
        (7_000, 8_000, true),
        (7_000, 8_100, true),
        (7_000, 32_900, true),
        (7_000, 33_000, true),
        (7_000, 33_001, false),
        (7_000, 33_100, false),
        (20_000, 20_000, false),
        (20_001, 20_000, false),
        (19_999, 20_000, true),
    ] {
        assert_eq!(with(low, high), if good { None } else { Some(Defect::Supply) }, "{low} to {high}");
    }
}

/// All other limits of the section header.
#[test]
fn header_limits_of_a_section() {
    for (at, least, most) in [
        (section::RAIL_MIN, 2_700, 3_300),
        (section::RAIL_MAX, 3_300, 3_900),
        (section::RAIL_DEBOUNCE, 1, 20),
        (section::SIO_DROP, 500, 5_000),
        (section::SIO_OFF, 500, 5_000),
        (section::MISMATCH, 200, 3_000),
        (section::MISMATCH_DEBOUNCE, 5, 50),
        (section::RELAY_MOVE, 5, 100),
    ] {
        for (value, good) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
            let told = section_with(|section| {
                section.limit(at, value);
            });
            assert_eq!(told, if good { None } else { Some(Defect::Limits) }, "offset {at}: {value}");
        }
    }
    let many = section_with(|section| section.blocks = vec![block_spec(BlockKind::Not, 0, 0, &[SIGNAL_ON], 0); 129]);
    assert_eq!(many, Some(Defect::Limits));
    let most = section_with(|section| section.blocks = vec![block_spec(BlockKind::Not, 0, 0, &[SIGNAL_ON], 0); 128]);
    assert_eq!(most, None);
    assert_eq!(section_with(|section| section.inputs = vec![single(0); 15]), Some(Defect::Limits));
    assert_eq!(section_with(|section| section.outputs = vec![(1, 1); 15]), Some(Defect::Limits));
}

/// SSR-024, SSR-025, SSR-031: roles and signal types, all pairs.
#[test]
fn pins_of_all_roles_and_types() {
    for role in ROLES {
        for on in SIGNALS {
            for off in SIGNALS {
                let told = section_with(|section| {
                    // A second channel beside each input, so that 0 V may mean ON.
                    section.pin(0, role, on, off);
                    match role {
                        Role::Unused => {}
                        Role::Output => section.outputs.push((1, 1)),
                        Role::Input => {
                            section.pin(1, Role::Input, Signal::High, Signal::Low);
                            section.inputs.push(redundant(0b11, 10));
                        }
                        Role::Combined => {
                            section.inputs.push(single(0));
                            section.outputs.push((1, 1));
                        }
                    }
                });
                let differ = on != off && off != Signal::Ossd && (on, off) != (Signal::Ossd, Signal::High);
                let full = [Signal::High, Signal::Ossd, Signal::A, Signal::B, Signal::C, Signal::D].contains(&on);
                let empty = off == Signal::Low || off as u8 >= Signal::InverseA as u8;
                let good = match role {
                    Role::Unused => (on, off) == (Signal::Low, Signal::Low),
                    Role::Input => differ,
                    Role::Output => full && empty,
                    Role::Combined => on == Signal::High && off == Signal::Low,
                };
                assert_eq!(told, if good { None } else { Some(Defect::Pin) }, "{role:?} {on:?} {off:?}");
            }
        }
    }
    for (place, number) in [(0, 4u8), (1, 3), (1, 12), (2, 3), (2, 255)] {
        let told = wired_with(|section| {
            let pin = &mut section.pins[0];
            *[&mut pin.0, &mut pin.1, &mut pin.2][place] = number;
        });
        assert_eq!(told, Some(Defect::Pin));
    }
}

/// SSR-028: input groups.
#[test]
fn input_groups() {
    type Change = fn(&mut SectionSpec);
    let bad: [Change; 10] = [
        |section| section.inputs[0].pins = 0,
        |section| section.inputs[0].pins = 0b10,
        |section| section.inputs[0].discrepancy = 1,
        |section| section.inputs[0].kind = 0,
        |section| section.inputs[0].kind = 3,
        |section| section.inputs[1].discrepancy = 0,
        |section| section.inputs[1].discrepancy = 60_001,
        |section| section.inputs[1].pins = 0b1101,
        |section| section.inputs[1].on_filter = TIMER_MS_MOST + 1,
        |section| section.inputs.truncate(1),
    ];
    for (case, change) in bad.into_iter().enumerate() {
        assert_eq!(wired_with(change), Some(Defect::InputGroup), "case {case}");
    }
    assert_eq!(wired_with(|section| section.inputs[1].on_filter = TIMER_MS_MOST), None);
    assert_eq!(wired_with(|section| section.inputs[1].discrepancy = 60_000), None);
    let high_bit = wired_with(|section| section.inputs[1].pins |= 1 << 14);
    assert_eq!(high_bit, Some(Defect::InputGroup));
}

/// SSR-028: 0 V as the ON state only beside a channel whose ON is not 0 V.
#[test]
fn the_de_energise_principle_is_kept() {
    let alone = |section: &mut SectionSpec| {
        section.pin(0, Role::Input, Signal::Low, Signal::High);
    };
    assert_eq!(wired_with(alone), Some(Defect::InputGroup));
    let both = |section: &mut SectionSpec| {
        section.pin(2, Role::Input, Signal::Low, Signal::High);
    };
    assert_eq!(wired_with(both), Some(Defect::InputGroup));
}

/// SSR-029: 2 to 8 pins in a redundant output; 1 and 9 are rejected.
#[test]
fn output_groups_have_2_to_8_pins() {
    for count in 1..=14u32 {
        let told = section_with(|section| {
            for pin in 0..count as usize {
                section.pin(pin, Role::Output, Signal::High, Signal::Low);
            }
            section.outputs.push(((1 << count) - 1, 2));
        });
        let good = (2..=8).contains(&count);
        assert_eq!(told, if good { None } else { Some(Defect::OutputGroup) }, "{count} pins");
    }
    type Change = fn(&mut SectionSpec);
    let bad: [Change; 5] = [
        |section| section.outputs[0] = (0, 1),
        |section| section.outputs[0] = (0b11, 1),
        |section| section.outputs[0] = (0b1, 1),
        |section| section.outputs.clear(),
        |section| section.outputs.push((0b10, 1)),
    ];
    for (case, change) in bad.into_iter().enumerate() {
        assert_eq!(wired_with(change), Some(Defect::OutputGroup), "case {case}");
    }
}

/// The wired section with 32 own memories, node 1 with 32, own CAN entry 0, node 1's entry 1; and these blocks.
fn blocks(list: &[BlockSpec]) -> Option<Defect> {
    let mut spec = ConfigurationSpec::two_nodes(wired());
    spec.nodes[0].section.blocks = list.to_vec();
    of(&spec)
}

const NONE: [u16; 0] = [];

/// SSR-015: every kind with the least and most of its inputs, and what it names.
#[test]
fn blocks_of_every_kind() {
    let source = block_spec(BlockKind::Input, 0, 0, &NONE, 0);
    let on = [SIGNAL_ON; 4];
    let good = |block: BlockSpec| assert_eq!(blocks(&[source, block]), None, "{block:?}");
    let bad = |block: BlockSpec| assert_eq!(blocks(&[source, block]), Some(Defect::Block), "{block:?}");
    let most = |kind: BlockKind| {
        SHAPES.iter().find(|shape| shape.kind == kind).map(|shape| (shape.inputs_least, shape.inputs_most))
    };
    for shape in &SHAPES {
        let (least, greatest) = most(shape.kind).unwrap();
        let index = u8::from(matches!(shape.kind, BlockKind::MemoryReceive | BlockKind::CanReceive));
        let time = u32::from(matches!(shape.kind, BlockKind::OnDelay | BlockKind::OffDelay | BlockKind::Pulse));
        for count in 0..=4 {
            let block = block_spec(shape.kind, index, 0, &on[..count], time);
            if (least..=greatest).contains(&count) { good(block) } else { bad(block) }
        }
        let base = block_spec(shape.kind, index, 0, &on[..least], time);
        for kind in [0, 6, 15, 26, 31, 36, 255] {
            bad(BlockSpec { kind, ..base });
        }
        bad(BlockSpec { index: 200, ..base });
        bad(BlockSpec { number: 256, ..base });
        if time == 0 {
            bad(BlockSpec { time: 1, ..base });
        } else {
            good(BlockSpec { time: TIMER_MS_MOST, ..base });
            bad(BlockSpec { time: TIMER_MS_MOST + 1, ..base });
            bad(BlockSpec { time: 0, ..base });
        }
    }
}

/// SSR-015: what a block may name, at the boundary of each range.
#[test]
fn names_of_blocks() {
    let one = [SIGNAL_ON];
    for (kind, index, number, used, good) in [
        (BlockKind::Input, 1, 0, &NONE[..], true),
        (BlockKind::Input, 2, 0, &NONE, false),
        (BlockKind::InputError, 2, 0, &NONE, false),
        (BlockKind::OutputError, 1, 0, &NONE, false),
        (BlockKind::MemoryReceive, 0, 0, &NONE, false),
        (BlockKind::MemoryReceive, 1, 31, &NONE, true),
        (BlockKind::MemoryReceive, 1, 32, &NONE, false),
        (BlockKind::MemoryReceive, 2, 0, &NONE, false),
        (BlockKind::CanReceive, 0, 0, &NONE, false),
        (BlockKind::CanReceive, 1, 15, &NONE, true),
        (BlockKind::CanReceive, 1, 16, &NONE, false),
        (BlockKind::CanReceive, 2, 0, &NONE, false),
        (BlockKind::Output, 1, 0, &one, false),
        (BlockKind::Relay, 1, 0, &one, true),
        (BlockKind::Relay, 2, 0, &one, false),
        (BlockKind::MemorySend, 0, 31, &one, true),
        (BlockKind::MemorySend, 0, 32, &one, false),
        (BlockKind::CanSend, 0, 15, &one, true),
        (BlockKind::CanSend, 0, 16, &one, false),
        (BlockKind::CanSend, 1, 0, &one, false),
    ] {
        let told = blocks(&[block_spec(kind, index, number, used, 0)]);
        assert_eq!(told, if good { None } else { Some(Defect::Block) }, "{kind:?} {index} {number}");
    }
    let two = [SIGNAL_ON, SIGNAL_OFF];
    assert_eq!(blocks(&[block_spec(BlockKind::Mode, 1, 0, &two, 0)]), None);
    assert_eq!(blocks(&[block_spec(BlockKind::Mode, 2, 0, &two, 0)]), Some(Defect::Block));
}

/// SSR-015: a memory of another node needs the radio, an entry of another node an index on the CAN bus.
#[test]
fn what_is_received_needs_the_way_it_comes() {
    let with = |radio: bool, can_index: u8, kind: BlockKind| {
        let mut spec = spec();
        let own = &mut spec.nodes[0];
        (own.radio, own.memories, own.can_index, own.can_entries) = (radio, 0, can_index, 0);
        own.section.blocks = vec![block_spec(kind, 1, 3, &NONE, 0)];
        of(&spec)
    };
    assert_eq!(with(true, NO_CAN, BlockKind::MemoryReceive), None);
    assert_eq!(with(false, 0, BlockKind::MemoryReceive), Some(Defect::Block));
    assert_eq!(with(false, 0, BlockKind::CanReceive), None);
    assert_eq!(with(true, NO_CAN, BlockKind::CanReceive), Some(Defect::Block));
}

/// SSR-015: inputs name earlier blocks or constants, used ones come first; a sink is driven once.
#[test]
fn inputs_and_sinks_of_blocks() {
    let source = block_spec(BlockKind::Input, 0, 0, &NONE, 0);
    let and = |inputs: [u16; 4]| BlockSpec { inputs, ..block_spec(BlockKind::And, 0, 0, &NONE, 0) };
    for (inputs, good) in [
        ([0, SIGNAL_OFF, NO_SIGNAL, NO_SIGNAL], true),
        ([0, 1, NO_SIGNAL, NO_SIGNAL], false),
        ([0, 2, NO_SIGNAL, NO_SIGNAL], false),
        ([0, 0x8002, NO_SIGNAL, NO_SIGNAL], false),
        ([0, NO_SIGNAL, 0, NO_SIGNAL], false),
        ([NO_SIGNAL, 0, 0, NO_SIGNAL], false),
        ([0, 0, 0, 0], true),
    ] {
        assert_eq!(blocks(&[source, and(inputs)]), if good { None } else { Some(Defect::Block) }, "{inputs:x?}");
    }
    for sink in [
        block_spec(BlockKind::Output, 0, 0, &[0], 0),
        block_spec(BlockKind::Relay, 1, 0, &[0], 0),
        block_spec(BlockKind::MemorySend, 0, 3, &[0], 0),
        block_spec(BlockKind::CanSend, 0, 3, &[0], 0),
    ] {
        assert_eq!(blocks(&[source, sink]), None);
        assert_eq!(blocks(&[source, sink, sink]), Some(Defect::Block));
    }
}

/// SSR-016: the response time must hold the path: 3 ms, the slowest input, radio and CAN if they are used.
#[test]
fn the_response_time_must_hold_the_path() {
    let least = |change: &dyn Fn(&mut ConfigurationSpec)| {
        let good = |response: u32| {
            let mut spec = ConfigurationSpec::two_nodes(SectionSpec::empty());
            change(&mut spec);
            spec.response = response;
            match of(&spec) {
                None => true,
                Some(Defect::Response) => false,
                other => panic!("{other:?}"),
            }
        };
        assert!(good(120_000) && !good(120_001) && !good(0));
        (1..1_000).find(|response| good(*response)).unwrap()
    };
    let input = |on: Signal| {
        move |spec: &mut ConfigurationSpec| {
            let section = &mut spec.nodes[0].section;
            section.pin(0, Role::Input, on, Signal::Low).pin(1, Role::Input, Signal::High, Signal::Low);
            section.inputs = vec![single(0), single(1)];
        }
    };
    assert_eq!(least(&|_| {}), 3);
    assert_eq!(least(&input(Signal::High)), 4);
    assert_eq!(least(&input(Signal::Ossd)), 5);
    assert_eq!(least(&input(Signal::InverseD)), 12);
    let combined = |spec: &mut ConfigurationSpec| {
        let section = &mut spec.nodes[0].section;
        section.pin(0, Role::Combined, Signal::High, Signal::Low);
        (section.inputs, section.outputs) = (vec![single(0)], vec![(1, 1)]);
    };
    assert_eq!(least(&combined), 8);
    let radio = |spec: &mut ConfigurationSpec| {
        spec.nodes[0].section.blocks = vec![block_spec(BlockKind::MemoryReceive, 1, 0, &NONE, 0)];
    };
    assert_eq!(least(&radio), 3 + 100 + 2);
    let both = |spec: &mut ConfigurationSpec| {
        radio(spec);
        spec.nodes[0].section.blocks.push(block_spec(BlockKind::CanReceive, 1, 0, &NONE, 0));
    };
    assert_eq!(least(&both), 3 + 100 + 2 + 35 + 2 + 1);
    let heard = |on: Signal, entries: u16| {
        move |spec: &mut ConfigurationSpec| {
            both(spec);
            spec.nodes[1].can_entries = entries;
            spec.nodes[1].section.pin(7, Role::Input, on, Signal::Low);
        }
    };
    assert_eq!(
        least(&heard(Signal::High, 0b10)),
        3 + 1 + 100 + 2 + 35 + 2 + 1,
        "a static input of the node that is heard"
    );
    assert_eq!(
        least(&heard(Signal::B, 0b1110)),
        3 + 9 + 100 + 2 + 35 + 2 + 3,
        "a pulsed one, and three entries in turn"
    );
    let alone = |spec: &mut ConfigurationSpec| {
        heard(Signal::B, 0b1110)(spec);
        spec.nodes[0].section.blocks.clear();
    };
    assert_eq!(least(&alone), 3, "nobody is heard");
}

/// The largest configuration of one unit: 14 groups on each side and 128 blocks.
#[test]
fn the_largest_section_is_taken() {
    let told = section_with(|section| {
        for pin in 0..14 {
            section.pin(pin, Role::Combined, Signal::High, Signal::Low);
            section.inputs.push(single(pin as u32));
            section.outputs.push((1 << pin, 1));
        }
        let source = |i: u16| block_spec(BlockKind::Input, (i % 14) as u8, 0, &NONE, 0);
        section.blocks = (0..114).map(source).collect();
        section.blocks.extend((0..14).map(|i| block_spec(BlockKind::Output, i as u8, 0, &[i], 0)));
    });
    assert_eq!(told, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    /// SSM-13: no bytes panic, with the sums of anything mended, and a verdict always comes.
    #[test]
    fn any_bytes_are_judged(
        noise in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        short: bool,
    ) {
        let mut body = ConfigurationSpec::two_nodes(wired()).body();
        for (place, value) in noise {
            let place = place.index(body.len());
            body[place] = value;
        }
        if short {
            body.truncate((header::LEN + cut.index(body.len() - header::LEN)) / 4 * 4);
        }
        let _ = check(&seal(body));
    }

    /// Bytes from nowhere behind a right beginning.
    #[test]
    fn any_rest_is_judged(rest in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut bytes: Vec<u8> = spec().body()[..header::LEN].to_vec();
        bytes.extend(&rest[..rest.len() / 4 * 4]);
        let _ = check(&seal(bytes));
    }
}
