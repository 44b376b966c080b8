//! The check of a configuration, field by field, at its borders.
//!
//! SSR-008, SSR-010, SSR-016, SSR-028, SSR-029, SSR-031, SSR-063, SSR-067, SSR-074, SSR-077.

use std::vec::Vec;

use proptest::prelude::*;
use safety_common::configuration::{BlockKind, Defect};
use safety_common::signal::Signal;

use crate::configuration::{Check, Configuration};
use crate::testing::flash::{FakeFlash, SERIAL};
use crate::testing::plan::{
    COMBINED, NodePlan, OTHER_SERIAL, PASSWORD, Plan, SectionPlan, block, input_pin, output_pin, seal,
};

fn check_for(serial: u32, bytes: &[u8]) -> Result<Configuration, Defect> {
    let flash = FakeFlash::with_configuration(bytes);
    let mut check = Check::new(serial);
    for _ in 0..100 {
        if let Some(configuration) = check.slice(&flash)? {
            return Ok(configuration);
        }
    }
    panic!("the check does not end");
}

fn check(plan: &Plan) -> Result<(), Defect> {
    check_for(SERIAL, &plan.bytes()).map(|_| ())
}

fn changed(change: impl FnOnce(&mut Plan)) -> Result<(), Defect> {
    let mut plan = Plan::pair(SectionPlan::empty());
    change(&mut plan);
    check(&plan)
}

/// What is stored comes out, for each node its own section.
#[test]
fn a_good_configuration_gives_each_node_its_own_section() {
    let mut plan = Plan::pair(SectionPlan::empty());
    plan.nodes[1].section.limits[0] = 12_345;
    let bytes = plan.bytes();
    let own = check_for(SERIAL, &bytes).unwrap();
    let other = check_for(OTHER_SERIAL, &bytes).unwrap();
    assert_eq!((own.settings.supply_min, other.settings.supply_min), (10_000, 12_345));
    assert_eq!((own.network.own, other.network.own), (0, 1));
    assert_eq!((own.hash, own.length as usize), (other.hash, bytes.len()));
    assert_eq!(own.password, crate::chaskey::tag(safety_common::tool::PASSWORD_KEY, PASSWORD));
    assert_eq!(own.network.nodes[1].serial, OTHER_SERIAL);
}

/// SSM-14, SSR-063: every single flipped bit is found.
#[test]
fn every_flipped_bit_is_found() {
    let good = Plan::pair(SectionPlan::empty()).bytes();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            assert!(check_for(SERIAL, &bytes).is_err(), "byte {at} bit {bit}");
        }
    }
}

/// SSR-063: erased, truncated, other format; the first defect in the documented order is the one told.
#[test]
fn what_is_no_configuration_is_told_apart() {
    let plan = Plan::pair(SectionPlan::empty());
    let good = plan.bytes();
    let with = |at: usize, value: &[u8]| {
        let mut bytes = plan.unsealed();
        bytes[at..at + value.len()].copy_from_slice(value);
        seal(bytes)
    };
    assert_eq!(check_for(SERIAL, &[]).err(), Some(Defect::Missing));
    assert_eq!(check_for(SERIAL, &with(4, &[2])).err(), Some(Defect::Format));
    for length in [0u32, 4, 64, good.len() as u32 + 1, 0x8004, u32::MAX] {
        assert_eq!(check_for(SERIAL, &with(8, &length.to_le_bytes())).err(), Some(Defect::Length), "{length}");
    }
    assert_eq!(check_for(SERIAL, &good[..good.len() - 8]).err(), Some(Defect::Crc));
    let mut wrong_hash = plan.unsealed();
    wrong_hash[12..16].fill(9);
    assert_eq!(check_for(SERIAL, &crate::testing::with_flash_crc(wrong_hash)).err(), Some(Defect::Hash));
    assert_eq!(check_for(SERIAL, &with(7, &[1])).err(), Some(Defect::Reserved));
    assert_eq!(check_for(SERIAL, &with(63, &[1])).err(), Some(Defect::Reserved));
}

/// SSR-067: network id 0; a serial number that is not in the table, off by one, or swapped with another node.
#[test]
fn network_id_and_serial_numbers_are_checked() {
    assert_eq!(changed(|plan| plan.network_id = 0), Err(Defect::NetworkId));
    assert_eq!(changed(|plan| plan.network_id = 1), Ok(()));
    let bytes = Plan::alone(SectionPlan::empty()).bytes();
    for serial in [SERIAL + 1, SERIAL - 1, OTHER_SERIAL] {
        assert_eq!(check_for(serial, &bytes).err(), Some(Defect::NotForThisUnit));
    }
    for serial in [0, u32::MAX, SERIAL] {
        assert_eq!(changed(|plan| plan.nodes[1].serial = serial), Err(Defect::Nodes), "{serial:#x}");
    }
    assert_eq!(changed(|plan| plan.nodes[1].can_node = 0), Err(Defect::Nodes));
}

/// SSR-008, SSR-010: the supply limits at their borders, and the minimum below the maximum.
#[test]
fn supply_limits_are_checked_at_their_borders() {
    let supply = |min: u16, max: u16| {
        changed(|plan| {
            plan.own().limits[0] = min;
            plan.own().limits[1] = max;
        })
    };
    for (min, is_good) in [
        (6_900, false),
        (6_999, false),
        (7_000, true),
        (7_100, true),
        (29_900, true),
        (30_000, true),
        (30_001, false),
        (30_100, false),
    ] {
        assert_eq!(supply(min, 33_000), if is_good { Ok(()) } else { Err(Defect::Supply) }, "min {min}");
    }
    for (max, is_good) in [
        (7_900, false),
        (7_999, false),
        (8_000, true),
        (8_100, true),
        (32_900, true),
        (33_000, true),
        (33_001, false),
        (33_100, false),
    ] {
        assert_eq!(supply(7_000, max), if is_good { Ok(()) } else { Err(Defect::Supply) }, "max {max}");
    }
    assert_eq!(
        (supply(20_000, 20_000), supply(20_001, 20_000), supply(20_000, 20_001)),
        (Err(Defect::Supply), Err(Defect::Supply), Ok(()))
    );
}

/// The other limits of the section header, each one below and above its range.
#[test]
fn every_other_limit_is_checked_at_its_borders() {
    let ranges: [(usize, u16, u16); 8] = [
        (2, 2_700, 3_300),
        (3, 3_300, 3_900),
        (4, 1, 20),
        (5, 500, 5_000),
        (6, 500, 5_000),
        (7, 200, 3_000),
        (8, 5, 50),
        (9, 5, 100),
    ];
    for (field, least, most) in ranges {
        for (value, is_good) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
            let result = changed(|plan| plan.own().limits[field] = value);
            assert_eq!(result, if is_good { Ok(()) } else { Err(Defect::Limits) }, "field {field} = {value}");
        }
    }
}

/// SSR-074: the 17 legal numbers of memories and no other.
#[test]
fn memories_are_0_to_256_in_steps_of_16() {
    for memories in 0..=300u16 {
        let is_good = memories <= 256 && memories % 16 == 0;
        let result = changed(|plan| plan.nodes[0].memories = memories);
        assert_eq!(result, if is_good { Ok(()) } else { Err(Defect::Radio) }, "{memories}");
    }
    assert_eq!(changed(|plan| plan.nodes[0].memories = 0u16.wrapping_sub(16)), Err(Defect::Radio));
    assert_eq!(changed(|plan| plan.nodes[0].flags = 0), Err(Defect::Radio), "memories without radio");
}

/// SSR-077: 4 to 60000 ms, and not less than twice the send period, which has room for all nodes.
#[test]
fn the_radio_timeout_fits_range_and_slot_plan() {
    let radio = |timeout: u32, period: u16| {
        changed(|plan| {
            (plan.radio_timeout, plan.radio_period, plan.response) = (timeout, period, 100_000);
        })
    };
    for (timeout, is_good) in [(3, false), (4, true), (5, true), (59_999, true), (60_000, true), (60_001, false)] {
        assert_eq!(radio(timeout, 2), if is_good { Ok(()) } else { Err(Defect::Radio) }, "{timeout}");
    }
    assert_eq!((radio(100, 50), radio(100, 51), radio(100, 1)), (Ok(()), Err(Defect::Radio), Err(Defect::Radio)));
    let crowded = |period: u16| {
        changed(|plan| {
            for index in 2..7 {
                let node = NodePlan { flags: 1, ..NodePlan::new(1_000 + index, SectionPlan::empty()) };
                plan.nodes.push(node);
            }
            plan.radio_period = period;
        })
    };
    assert_eq!((crowded(6), crowded(7)), (Err(Defect::Radio), Ok(())));
}

/// CAN: age, entries that have a slot, one owner each, an index for whoever sends.
#[test]
fn can_settings_are_checked() {
    for (age, is_good) in [(19, false), (20, true), (1_000, true), (1_001, false)] {
        assert_eq!(changed(|plan| plan.can_age = age), if is_good { Ok(()) } else { Err(Defect::Can) });
    }
    assert_eq!(changed(|plan| plan.nodes[0].can_entries = 1 << 13), Ok(()));
    assert_eq!(changed(|plan| plan.nodes[0].can_entries = 1 << 14), Err(Defect::Can));
    assert_eq!(changed(|plan| plan.nodes[0].can_entries = 0b10), Err(Defect::Can), "two owners");
    assert_eq!(changed(|plan| plan.nodes[0].can_node = 0xFF), Err(Defect::Can));
    assert_eq!(changed(|plan| plan.nodes[0].can_node = 15), Ok(()));
    assert_eq!(changed(|plan| plan.nodes[0].can_node = 16), Err(Defect::Can));
}

/// Pins 0 to 9 inputs, 10 to 13 and further outputs as asked.
fn with_groups(inputs: &[(u16, u16, u32, u8, u8)], outputs: &[(u16, u8)]) -> Result<(), Defect> {
    let mut plan = Plan::alone(SectionPlan::empty());
    let used = |sets: &mut dyn Iterator<Item = u16>| sets.fold(0u16, |all, set| all | set);
    let input_set = used(&mut inputs.iter().map(|group| group.0));
    let output_set = used(&mut outputs.iter().map(|group| group.0));
    let section = plan.own();
    for pin in 0..14 {
        if input_set >> pin & 1 == 1 {
            section.pins[pin] = input_pin(Signal::High, Signal::Low);
        } else if output_set >> pin & 1 == 1 {
            section.pins[pin] = output_pin(Signal::High, Signal::Low);
        }
    }
    section.inputs = inputs.to_vec();
    section.outputs = outputs.to_vec();
    check(&plan)
}

/// SSR-028, SSR-029: one pin, or 2 to 8; not 0, 1 or 9 in a redundant group.
#[test]
fn groups_have_one_pin_or_two_to_eight() {
    for count in 0..=10u32 {
        let set = (1u16 << count) - 1;
        let single = count == 1;
        let redundant = (2..=8).contains(&count);
        let outputs = |kind| with_groups(&[], &[(set, kind)]);
        let inputs = |kind, discrepancy| with_groups(&[(set, discrepancy, 0, kind, 0)], &[]);
        assert_eq!(outputs(1), if single { Ok(()) } else { Err(Defect::OutputGroup) }, "{count}");
        assert_eq!(outputs(2), if redundant { Ok(()) } else { Err(Defect::OutputGroup) }, "{count}");
        assert_eq!(inputs(1, 0), if single { Ok(()) } else { Err(Defect::InputGroup) }, "{count}");
        assert_eq!(inputs(2, 50), if redundant { Ok(()) } else { Err(Defect::InputGroup) }, "{count}");
        assert!(outputs(0).is_err() && outputs(3).is_err() && inputs(0, 0).is_err());
    }
}

/// The last byte of an output group is 0.
#[test]
fn the_reserved_byte_of_an_output_group_is_checked() {
    let mut section = SectionPlan::empty();
    section.pins[0] = output_pin(Signal::High, Signal::Low);
    section.outputs = std::vec![(1, 1)];
    let plan = Plan::alone(section);
    let groups_end = plan.unsealed().len();
    let with = |reserved: u8| {
        let mut bytes = plan.unsealed();
        bytes[groups_end - 1] = reserved;
        check_for(SERIAL, &seal(bytes)).map(|_| ())
    };
    assert_eq!((with(0), with(1), with(0x80)), (Ok(()), Err(Defect::Reserved), Err(Defect::Reserved)));
}

/// SSR-028: discrepancy, filter, flags; no pin twice, none of the wrong role.
#[test]
fn group_fields_are_checked() {
    let input = |discrepancy, filter, kind, flags| {
        let set = if kind == 1 { 0b01 } else { 0b11 };
        with_groups(&[(set, discrepancy, filter, kind, flags)], &[])
    };
    assert_eq!((input(0, 0, 1, 0), input(1, 0, 1, 0)), (Ok(()), Err(Defect::InputGroup)));
    assert_eq!((input(0, 0, 2, 0), input(1, 0, 2, 0)), (Err(Defect::InputGroup), Ok(())));
    assert_eq!((input(60_000, 0, 2, 0), input(60_001, 0, 2, 0)), (Ok(()), Err(Defect::InputGroup)));
    assert_eq!((input(0, 3_600_000, 1, 1), input(0, 3_600_001, 1, 1)), (Ok(()), Err(Defect::InputGroup)));
    assert_eq!((input(0, 0, 1, 1), input(0, 0, 1, 2)), (Ok(()), Err(Defect::Reserved)));
    let one = (0b1, 0, 0, 1, 0);
    assert_eq!(with_groups(&[one, one], &[]), Err(Defect::InputGroup));
    assert_eq!(with_groups(&[], &[(1, 1), (1, 1)]), Err(Defect::OutputGroup));
    assert_eq!(with_groups(&[one], &[(1, 1)]), Err(Defect::OutputGroup), "a pin of another role");
    assert_eq!(with_groups(&[(1 << 14, 0, 0, 1, 0)], &[]), Err(Defect::InputGroup), "no such pin");
    assert_eq!(with_groups(&[], &[(1 << 15, 1)]), Err(Defect::OutputGroup), "no such pin");
}

/// SSR-031: each pin in either role; signal types that make no sense are refused.
#[test]
fn pins_are_checked() {
    let with_pin = |pin: usize, plan_of: (u8, u8, u8)| {
        let mut plan = Plan::alone(SectionPlan::empty());
        plan.own().pins[pin] = plan_of;
        if matches!(plan_of.0, 1 | 3) {
            plan.own().inputs.push((1 << pin, 0, 0, 1, 0));
        }
        if matches!(plan_of.0, 2 | 3) {
            plan.own().outputs.push((1 << pin, 1));
        }
        check(&plan)
    };
    for pin in 0..14 {
        assert_eq!(with_pin(pin, input_pin(Signal::A, Signal::Low)), Ok(()));
        assert_eq!(with_pin(pin, output_pin(Signal::Ossd, Signal::InverseB)), Ok(()));
        assert_eq!(with_pin(pin, COMBINED), Ok(()));
    }
    for bad in [
        (4, 1, 0),
        (1, 1, 1),
        (1, 3, 0),
        (1, 12, 0),
        (1, 1, 2),
        (1, 2, 1),
        (0, 1, 0),
        (0, 0, 1),
        (2, 0, 1),
        (2, 8, 0),
        (2, 1, 4),
        (2, 11, 10),
        (3, 2, 0),
        (3, 1, 4),
    ] {
        assert_eq!(with_pin(3, bad), Err(Defect::Pin), "{bad:?}");
    }
    assert_eq!(with_pin(3, input_pin(Signal::Low, Signal::High)), Err(Defect::InputGroup), "0 V alone as ON");
    let mut ungrouped = Plan::alone(SectionPlan::empty());
    ungrouped.own().pins[3] = input_pin(Signal::High, Signal::Low);
    assert_eq!(check(&ungrouped), Err(Defect::InputGroup));
    ungrouped.own().pins[3] = output_pin(Signal::High, Signal::Low);
    assert_eq!(check(&ungrouped), Err(Defect::OutputGroup));
}

/// SSR-016: the response time holds the path: 3 ms, the slowest input, radio, CAN.
#[test]
fn the_response_time_holds_the_path() {
    let least = |plan: &mut Plan| {
        (1..60_000).find(|ms| {
            plan.response = *ms;
            check(plan).is_ok()
        })
    };
    let mut plan = Plan::pair(SectionPlan::empty());
    assert_eq!(least(&mut plan), Some(3));
    plan.own().pins[0] = input_pin(Signal::High, Signal::Low);
    plan.own().inputs.push((1, 0, 0, 1, 0));
    assert_eq!(least(&mut plan), Some(4));
    plan.own().pins[0] = input_pin(Signal::Ossd, Signal::Low);
    assert_eq!(least(&mut plan), Some(3 + 2), "the end of an OSSD signal takes a tick more than a static one's");
    plan.own().pins[0] = input_pin(Signal::D, Signal::Low);
    assert_eq!(least(&mut plan), Some(12));
    plan.own().blocks.push(block(BlockKind::CanReceive, 1, 0, &[], 0));
    assert_eq!(least(&mut plan), Some(12 + 35 + 2 + 1));
    plan.nodes[1].can_entries = 0b1_1110;
    assert_eq!(least(&mut plan), Some(12 + 35 + 2 + 4), "four entries take turns");
    plan.nodes[1].can_entries = 0b10;
    plan.own().blocks.push(block(BlockKind::MemoryReceive, 1, 3, &[], 0));
    assert_eq!(least(&mut plan), Some(12 + 38 + 100 + 2));
    // The pins of the node that is heard count as well.
    plan.nodes[1].section.pins[5] = COMBINED;
    assert_eq!(least(&mut plan), Some(12 + 38 + 100 + 2), "its inputs are faster");
    plan.own().pins[0] = input_pin(Signal::High, Signal::Low);
    assert_eq!(least(&mut plan), Some(3 + 5 + 38 + 100 + 2), "its combined pin is slower");
    plan.nodes[1].section.pins[6] = input_pin(Signal::InverseC, Signal::Low);
    assert_eq!(least(&mut plan), Some(3 + 9 + 38 + 100 + 2), "its pulsed input is slower still");
    plan.own().blocks.clear();
    assert_eq!(least(&mut plan), Some(4), "nobody is heard");
    plan.response = 120_001;
    assert_eq!(check(&plan), Err(Defect::Response));
}

/// Sections out of place, too long, or with the wrong number of records.
#[test]
fn sections_out_of_place_are_refused() {
    let plan = Plan::pair(SectionPlan::empty());
    let with = |at: usize, value: u32| {
        let mut bytes = plan.unsealed();
        let field = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        bytes[at..at + 4].copy_from_slice(&field.wrapping_add(value).to_le_bytes());
        check_for(SERIAL, &seal(bytes)).map(|_| ())
    };
    for (at, change) in [(68, 4), (68, u32::MAX), (72, 4), (72, u32::MAX - 3), (72, 0x8000_0000), (88, 4), (92, 4)] {
        assert_eq!(with(at, change), Err(Defect::Section), "{at} {change}");
    }
    // One block more than there are bytes for.
    assert_eq!(with(104 + 22, 1), Err(Defect::Section));
    for (at, count) in [(104 + 20, 15), (104 + 20, 15 << 8), (104 + 22, 129)] {
        assert_eq!(with(at, count), Err(Defect::Section), "more than the length has");
    }
    let too_many = |fill: fn(&mut SectionPlan)| {
        let mut plan = Plan::alone(SectionPlan::empty());
        fill(plan.own());
        check(&plan)
    };
    assert_eq!(too_many(|section| section.inputs = std::vec![(1, 0, 0, 1, 0); 15]), Err(Defect::Limits));
    assert_eq!(too_many(|section| section.outputs = std::vec![(1, 1); 15]), Err(Defect::Limits));
    assert_eq!(with(104 + 24, 1), Err(Defect::Reserved));
}

/// A table of a permitted number of nodes ends before the CRC; one that does not is refused before it is read.
#[test]
fn a_node_table_that_is_longer_than_the_configuration_is_refused() {
    // Header, two nodes of 20 bytes, two sections of 88 bytes, CRC: 284 bytes. With the CRC ten nodes end at 268, eleven at 288.
    let plan = Plan::pair(SectionPlan::empty());
    assert_eq!(plan.bytes().len(), 284);
    let with_nodes = |count: u8| {
        let mut bytes = plan.unsealed();
        bytes[6] = count;
        check_for(SERIAL, &seal(bytes)).err()
    };
    for count in [11, 12, 16] {
        assert_eq!(with_nodes(count), Some(Defect::Nodes), "{count} nodes");
    }
    // What fits is read: the third line lies in the first section, whose limits are no flags.
    for count in [3, 10] {
        assert_eq!(with_nodes(count), Some(Defect::Reserved), "{count} nodes");
    }
    assert_eq!((with_nodes(2), with_nodes(0), with_nodes(17)), (None, Some(Defect::Nodes), Some(Defect::Nodes)));
}

/// A memory of another node needs the radio, an entry of another node an index on the CAN bus.
#[test]
fn what_is_received_needs_the_way_it_comes() {
    let with = |has_radio: bool, can_node: u8, kind: BlockKind| {
        changed(|plan| {
            plan.response = 1_000;
            let own = &mut plan.nodes[0];
            (own.flags, own.memories, own.can_node, own.can_entries) = (has_radio.into(), 0, can_node, 0);
            own.section.blocks.push(block(kind, 1, 3, &[], 0));
        })
    };
    const NONE: u8 = 0xFF;
    assert_eq!(with(true, NONE, BlockKind::MemoryReceive), Ok(()));
    assert_eq!(with(false, 0, BlockKind::MemoryReceive), Err(Defect::Block));
    assert_eq!(with(false, 0, BlockKind::CanReceive), Ok(()));
    assert_eq!(with(true, NONE, BlockKind::CanReceive), Err(Defect::Block));
}

/// The largest section that the format allows.
#[test]
fn the_largest_section_fits() {
    let mut plan = Plan::alone(SectionPlan::empty());
    let section = plan.own();
    section.pins = [COMBINED; 14];
    section.inputs = (0..14).map(|pin| (1 << pin, 0, 0, 1, 0)).collect();
    section.outputs = (0..14).map(|pin| (1 << pin, 1)).collect();
    section.blocks =
        (0..128u16)
            .map(|at| {
                if at == 0 { block(BlockKind::Input, 0, 0, &[], 0) } else { block(BlockKind::Not, 0, 0, &[at - 1], 0) }
            })
            .collect();
    assert_eq!(check(&plan), Ok(()));
    section_of(&mut plan).blocks.push(block(BlockKind::Not, 0, 0, &[0], 0));
    assert_eq!(check(&plan), Err(Defect::Limits));
}

fn section_of(plan: &mut Plan) -> &mut SectionPlan {
    plan.own()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    /// SSM-13: bytes with a good CRC and hash but any content: no panic, and what is accepted is in range.
    #[test]
    fn any_sealed_bytes_are_checked_without_panic(
        changes in proptest::collection::vec((0..600usize, any::<u8>()), 1..8), cut in 0..8usize,
    ) {
        let mut plan = Plan::pair(SectionPlan::empty());
        plan.own().pins[0] = input_pin(Signal::High, Signal::Low);
        plan.own().inputs.push((1, 0, 0, 1, 0));
        plan.own().blocks.push(block(BlockKind::Input, 0, 0, &[], 0));
        let mut bytes: Vec<u8> = plan.unsealed();
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        bytes.truncate(bytes.len() - cut * 4);
        if let Ok(found) = check_for(SERIAL, &seal(bytes)) {
            prop_assert!((7_000..=30_000).contains(&found.settings.supply_min));
            prop_assert!(found.settings.supply_min < found.settings.supply_max);
            prop_assert!(found.network.nodes.iter().all(|node| node.memories % 16 == 0 && node.memories <= 256));
            prop_assert!((4..=60_000).contains(&found.network.radio_timeout_ms));
            prop_assert!(found.groups.inputs.iter().all(|group| (1..=8).contains(&group.pins.count_ones())));
        }
    }
}
