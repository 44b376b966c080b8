//! Which configurations start: both CPUs and the rules of the tool say the same, and tell the same first defect.
//!
//! The bytes lie in the configuration area of both flashes, and the real start-up code of each CPU judges them; the third
//! opinion is `safety::rules`, which shares no code with either.

#[path = "safety_bench/mod.rs"]
mod safety_bench;
#[path = "safety_bench/texts.rs"]
mod texts;

use cooltwin::safety::binary::sealed;
use cooltwin::safety::rules::verdict;
use proptest::prelude::*;
use safety_bench::{Judges, SERIALS, Verdict};
use safety_common::configuration::{Defect, header, node, section};
use safety_common::fault::Fault;
use safety_common::flash_map::CONFIGURATION_LEN_MOST;
use texts::{BASE, compiled};

/// What the tool expects of a unit that holds these bytes in erased flash.
fn expected(bytes: &[u8], serial: u32) -> Verdict {
    let mut area = bytes.to_vec();
    area.resize(CONFIGURATION_LEN_MOST as usize, 0xFF);
    let length = u32::from_le_bytes(area[header::LENGTH..][..4].try_into().expect("four bytes")) as usize;
    match verdict(&area, serial) {
        Err(defect) => Some((Fault::Configuration, defect as u32)),
        Ok(()) if area[length..].iter().any(|byte| *byte != 0xFF) => Some((Fault::FlashNotErased, 0)),
        Ok(()) => None,
    }
}

/// Asks all three; what they say if they agree.
fn agreed(judges: &mut Judges, bytes: &[u8], what: impl FnOnce() -> String) -> Verdict {
    let tool = expected(bytes, SERIALS[0]);
    let without_place = |verdict: Verdict| match verdict {
        Some((Fault::FlashNotErased, _)) => Some((Fault::FlashNotErased, 0)),
        other => other,
    };
    let [one, two] = judges.ask(bytes).map(without_place);
    assert!(one == tool && two == tool, "{}: tool {tool:?}, CPU1 {one:?}, CPU2 {two:?}", what());
    tool
}

/// `BASE` without its CRC.
fn body() -> Vec<u8> {
    let mut bytes = compiled(BASE).bytes;
    bytes.truncate(bytes.len() - 4);
    bytes
}

fn put(bytes: &mut [u8], at: usize, value: u32, width: usize) {
    bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
}

/// Verifies SSR-063.
#[test]
fn a_compiled_configuration_starts_both_cpus_of_every_unit() {
    let bytes = compiled(BASE).bytes;
    for serial in SERIALS {
        assert_eq!(Judges::new(serial).ask(&bytes), [None; 2], "{serial:#x}");
    }
}

/// Verifies SSR-063. All flips of one bit, with the sums as they were and made anew.
#[test]
fn every_flipped_bit_is_judged_alike() {
    let (whole, body) = (compiled(BASE).bytes, body());
    let mut judges = Judges::new(SERIALS[0]);
    let mut accepted = 0;
    for bit in 0..body.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(agreed(&mut judges, &flipped, || format!("bit {bit}")).is_some(), "bit {bit} is not found");
        let mut flipped = body.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let verdict = agreed(&mut judges, &sealed(flipped), || format!("bit {bit}, sealed"));
        accepted += usize::from(verdict.is_none());
    }
    assert!(accepted > 500, "passwords, times and other sections may be anything: {accepted}");
}

/// Numbers at the borders of one range or another.
const BORDERS: [u32; 62] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14, 15, 16, 17, 19, 20, 21, 35, 50, 51, 99, 100, 101, 128, 129, 199, 200, 255, 256,
    257, 272, 499, 500, 999, 1_000, 1_001, 2_699, 2_700, 3_000, 3_001, 3_299, 3_300, 3_301, 3_900, 3_901, 5_000, 5_001,
    6_999, 7_000, 7_999, 8_000, 18_000, 30_000, 30_001, 33_000, 33_001, 59_999, 60_000, 60_001, 0x8000, 0x8001, 0xFFFF,
];
const WIDE_BORDERS: [u32; 8] = [119_999, 120_000, 120_001, 3_599_999, 3_600_000, 3_600_001, 0x8000_0000, u32::MAX];

/// Verifies SSR-008, SSR-010, SSR-028, SSR-029, SSR-063, SSR-067, SSR-074, SSR-077. Every field of header, node table and own
/// section at the borders of every range.
#[test]
fn every_field_is_judged_alike_at_every_border() {
    let body = body();
    let own = header::LEN + 2 * node::LEN;
    let own_end =
        own + u32::from_le_bytes(body[header::LEN + node::LENGTH..][..4].try_into().expect("a field")) as usize;
    let mut judges = Judges::new(SERIALS[0]);
    let mut told = std::collections::BTreeMap::<Verdict, u32>::new();
    let mut judge = |at: usize, value: u32, width: usize| {
        let mut bytes = body.clone();
        put(&mut bytes, at, value, width);
        let verdict = agreed(&mut judges, &sealed(bytes), || format!("{value} in {width} bytes at {at}"));
        *told.entry(verdict).or_default() += 1;
    };
    let header_and_table = (0..own).step_by(2);
    for at in header_and_table.chain((own..own + section::LEN).step_by(2)) {
        BORDERS.iter().for_each(|value| judge(at, *value, 2));
        WIDE_BORDERS.iter().for_each(|value| judge(at & !3, *value, 4));
    }
    for at in own + section::LEN..own_end {
        [0, 1, 2, 3, 4, 5, 12, 14, 16, 24, 31, 32, 36, 127, 128, 255].iter().for_each(|value| judge(at, *value, 1));
    }
    let defects =
        (2..=20).filter(|defect| told.contains_key(&Some((Fault::Configuration, *defect)))).collect::<Vec<u32>>();
    let silent = [Defect::Hash as u32];
    assert_eq!(
        defects,
        (2..=20).filter(|defect| !silent.contains(defect)).collect::<Vec<u32>>(),
        "each defect is told"
    );
    assert!(told[&None] > 1_000, "{told:?}");
}

/// Verifies SSR-063. Every truncation; bytes behind the end; every length.
#[test]
fn truncated_and_extended_binaries_are_judged_alike() {
    let (whole, body) = (compiled(BASE).bytes, body());
    let mut judges = Judges::new(SERIALS[0]);
    for len in 0..=body.len() {
        assert!(agreed(&mut judges, &whole[..len], || format!("{len} bytes")).is_some());
        let mut short = body[..len].to_vec();
        if len >= header::LEN {
            put(&mut short, header::LENGTH, len as u32 + 4, 4);
            agreed(&mut judges, &sealed(short), || format!("{len} bytes, sealed"));
        }
    }
    for behind in [0, 1, 200, CONFIGURATION_LEN_MOST as usize - whole.len() - 1] {
        let mut long = whole.clone();
        long.resize(whole.len() + behind, 0xFF);
        long.push(0xFE);
        let verdict = agreed(&mut judges, &long, || format!("a byte {behind} behind the end"));
        assert_eq!(verdict, Some((Fault::FlashNotErased, 0)));
    }
    for length in (0..=whole.len() as u32 + 8).chain([0x7FFC, 0x8000, 0x8004, u32::MAX]) {
        let mut other = body.clone();
        put(&mut other, header::LENGTH, length, 4);
        agreed(&mut judges, &sealed(other), || format!("length {length}"));
    }
}

/// Verifies SSR-067. Whose configuration it is: network id, own serial number equal, off by one, swapped.
#[test]
fn network_id_and_serial_numbers_are_judged_alike() {
    let mut judges = Judges::new(SERIALS[0]);
    let mut with = |changes: &[(usize, u32)]| {
        let mut bytes = body();
        changes.iter().for_each(|(at, value)| put(&mut bytes, *at, *value, 4));
        agreed(&mut judges, &sealed(bytes), || format!("{changes:x?}")).map(|(_, defect)| defect)
    };
    let (first, second) = (header::LEN + node::SERIAL, header::LEN + node::LEN + node::SERIAL);
    assert_eq!(with(&[(header::NETWORK_ID, 0)]), Some(Defect::NetworkId as u32));
    assert_eq!(with(&[(header::NETWORK_ID, 1)]), None);
    assert_eq!(with(&[(first, SERIALS[0] + 1)]), Some(Defect::NotForThisUnit as u32));
    assert_eq!(with(&[(first, SERIALS[0] - 1)]), Some(Defect::NotForThisUnit as u32));
    // Swapped: this unit would run the section of the other; that is a good configuration for it, and a hash of its own.
    assert_eq!(with(&[(first, SERIALS[1]), (second, SERIALS[0])]), None);
    for serial in [0, u32::MAX, SERIALS[0]] {
        assert_eq!(with(&[(second, serial)]), Some(Defect::Nodes as u32), "{serial:#x}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

    /// Verifies SSR-063. Several fields at once: the first defect in the order of the page is the one told by all three.
    #[test]
    fn several_changes_at_once_are_judged_alike(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..BORDERS.len() + 256, 1..=2_usize), 1..5),
        sum_is_right in prop::bool::weighted(0.95),
    ) {
        let mut bytes = body();
        for (at, value, width) in &changes {
            let at = at.index(bytes.len() - 1);
            let value = BORDERS.get(*value).copied().unwrap_or(*value as u32);
            put(&mut bytes, at, value, *width);
        }
        let mut bytes = sealed(bytes);
        if !sum_is_right {
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
        }
        thread_local!(static JUDGES: std::cell::RefCell<Judges> = std::cell::RefCell::new(Judges::new(SERIALS[0])));
        JUDGES.with_borrow_mut(|judges| agreed(judges, &bytes, || format!("{changes:?}")));
    }
}
