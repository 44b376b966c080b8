//! Properties of the scenario table as a whole: nothing unknown passes, everything written reads back.

use std::path::Path;

use proptest::prelude::*;
use rand::Rng;

use super::diagnostic::{Code, Diagnostic};
use super::explain::SCENARIO;
use super::loader::{FileSource, LOADER_FIELDS, Loaded, load};
use super::model::{FaultKind, RawScenario};
use super::quantity::{self, Quantity, QuantityError};
use super::quantity::{
    Bitrate, Drift, Factor, Flow, Power, Rate, Resistance, Share, Size, Temperature, Voltage, Volume,
};
use super::reader::{Node, Reader};
use super::schema::{Content, Field, Section, Shape, Value};
use crate::kernel::{Span, Stream, stream};

/// A scenario that a test writes out, without any file.
pub(crate) fn loaded_text(text: &str) -> Loaded {
    struct Text<'a>(&'a str);

    impl FileSource for Text<'_> {
        fn read(&self, _: &Path) -> Result<Vec<u8>, String> {
            Ok(self.0.as_bytes().to_vec())
        }
    }

    load(&Text(text), Path::new("text.ron"), &[]).unwrap_or_else(|_| panic!("{text} loads"))
}

fn read(text: &str) -> (Option<RawScenario>, Vec<Diagnostic>) {
    let mut reader = Reader::default();
    let scenario = RawScenario::read(&Node::whole(text, 0), &mut reader);
    (scenario, reader.diagnostics)
}

/// Calls `look` with every section of a shape and the text that leads to it, `@` standing for the section.
fn sections(shape: &Shape, around: &str, look: &mut dyn FnMut(&'static str, &'static [Field], &str)) {
    match shape {
        Shape::Leaf(_) => {}
        Shape::Optional(inner) => sections(inner, around, look),
        Shape::List(inner) => sections(inner, &around.replace('@', "[@]"), look),
        Shape::Section(name, _, fields) => {
            look(name, fields, around);
            for field in *fields {
                sections(&(field.shape)(), &around.replace('@', &format!("({}: @)", field.name)), look);
            }
        }
        Shape::Choice(_, _, variants) => {
            for variant in *variants {
                match variant.content {
                    Content::Nothing => {}
                    Content::Value(inner) => {
                        sections(&inner(), &around.replace('@', &format!("{}(@)", variant.name)), look);
                    }
                    Content::Fields(inner) => {
                        sections(&inner(), &around.replace('@', &format!("{}@", variant.name)), look);
                    }
                }
            }
        }
    }
}

#[test]
fn every_section_refuses_unknown_fields() {
    let mut seen = 0;
    sections(&RawScenario::shape(), "@", &mut |name, _, around| {
        seen += 1;
        let text = around.replace('@', "(zz_unknown: 1)");
        let (_, diagnostics) = read(&text);
        let refused = diagnostics.iter().any(|d| {
            d.code == Code::UnknownField
                && d.message.contains("zz_unknown")
                && text[d.place.span.clone()] == *"zz_unknown"
        });
        assert!(refused, "{name} takes an unknown field in {text}: {diagnostics:?}");
    });
    assert!(seen > 40, "only {seen} sections were found");
}

#[test]
fn every_field_has_a_text_and_every_range_holds_its_default() {
    sections(&RawScenario::shape(), "@", &mut |name, fields, around| {
        for field in fields {
            assert!(field.text.trim().ends_with(['.']), "{name}.{} has no sentence", field.name);
            let Some(default) = field.default else { continue };
            let shape = (field.shape)();
            let is_quoted = matches!(&shape, Shape::Leaf(text) if text.contains("in quotes") || text.starts_with("text"))
                || matches!(&shape, Shape::Leaf(text) if text.contains("for instance \""));
            let written = if is_quoted { format!("\"{default}\"") } else { default.to_owned() };
            let text = around.replace('@', &format!("({}: {written})", field.name));
            let (_, diagnostics) = read(&text);
            let wrong: Vec<&Diagnostic> = diagnostics.iter().filter(|d| d.code != Code::MissingField).collect();
            assert!(wrong.is_empty(), "default of {name}.{}: {wrong:?}", field.name);
        }
    });
}

#[test]
fn the_canonical_text_has_exactly_the_declared_fields() {
    let text = RawScenario::default().resolved_text();
    let names: Vec<&str> = RawScenario::FIELDS.iter().map(|field| field.name).collect();
    let top =
        text.lines().filter_map(|line| line.strip_prefix("    ").filter(|line| !line.starts_with([' ', ')', ']'])));
    let written: Vec<&str> = top.filter_map(|line| line.split_once(':').map(|(name, _)| name)).collect();
    assert_eq!(written, names);
}

#[test]
fn every_path_can_be_explained_and_names_its_facts() {
    for path in SCENARIO.paths() {
        let text = SCENARIO.explain(&path).unwrap_or_else(|e| panic!("{path}: {e:?}"));
        assert!(!text.trim().is_empty(), "{path} has no page");
    }
    for field in RawScenario::FIELDS.iter().chain(&LOADER_FIELDS) {
        assert!(
            SCENARIO.explain("").expect("the top page").contains(field.text.trim()),
            "{} is not on the top page",
            field.name
        );
    }
    let kinds = SCENARIO.explain("faults.kind").expect("a page");
    let Shape::Choice(_, _, variants) = FaultKind::shape() else { panic!("kinds are a choice") };
    assert_eq!(kinds.matches("\n    acts on ").count(), variants.len(), "every kind names its places:\n{kinds}");
    assert!(kinds.contains("\nFramTear(bytes: ..)\n") && kinds.contains("    acts on the CIOC\n"), "{kinds}");
    let bitrate = SCENARIO.explain("bus.bitrate").expect("a page");
    assert!(bitrate.contains("default 250kbit/s; from 10kbit/s to 1Mbit/s; requirement PFU-041"), "{bitrate}");
    for path in ["FaultKind.FrameHit", "FaultKind.Sag.to", "Scenario.bus.bitrate"] {
        let whole = path.replace("FaultKind", "faults.kind").replace("Scenario.", "");
        assert_eq!(SCENARIO.explain(path), SCENARIO.explain(&whole), "{path}");
    }
    let wrong = SCENARIO.explain("FaultKind.FrameHitt").expect_err("no such kind");
    assert!(wrong.part == "FrameHitt" && wrong.known.contains(&"FrameHit"), "{wrong:?}");
    let near = |path: &str| SCENARIO.explain(path).expect_err("no such field").near;
    let wanted = [
        ("bus.bitrat", Some("bus.bitrate")),
        ("bitrat", Some("bus.bitrate")),
        ("pumps.cont", Some("pumps.count")),
        ("biterror", Some("faults.kind.BitErrors")),
        ("faults.kind.BitErrors.rat", Some("faults.kind.BitErrors.rate")),
        ("q", None),
        ("something else", None),
    ];
    for (path, wanted) in wanted {
        assert_eq!(near(path).as_deref(), wanted, "{path}");
    }
}

/// Writes a random value of a shape; ranges and examples say what may stand there.
fn sample(shape: &Shape, field: Option<&Field>, depth: usize, from: &mut Stream) -> String {
    match shape {
        Shape::Optional(inner) if from.next_u32().is_multiple_of(2) => sample(inner, field, depth, from),
        Shape::Optional(_) => "None".to_owned(),
        Shape::List(inner) => {
            let items: Vec<String> = (0..from.next_u32() % 3).map(|_| sample(inner, field, depth + 1, from)).collect();
            format!("[{}]", items.join(", "))
        }
        Shape::Section(_, _, fields) => sample_fields(fields, depth, from),
        Shape::Choice(_, _, variants) => {
            let variant = variants[from.next_u32() as usize % variants.len()];
            match variant.content {
                Content::Nothing => variant.name.to_owned(),
                Content::Value(inner) => format!("{}({})", variant.name, sample(&inner(), None, depth + 1, from)),
                Content::Fields(inner) => format!("{}{}", variant.name, sample(&inner(), None, depth + 1, from)),
            }
        }
        Shape::Leaf(text) => sample_leaf(text, field, from),
    }
}

fn sample_fields(fields: &[Field], depth: usize, from: &mut Stream) -> String {
    let mut out = Vec::new();
    for field in fields {
        if field.default.is_none() || from.next_u32().is_multiple_of(2) {
            out.push(format!("{}: {}", field.name, sample(&(field.shape)(), Some(field), depth + 1, from)));
        }
    }
    format!("({})", out.join(", "))
}

fn sample_leaf(text: &str, field: Option<&Field>, from: &mut Stream) -> String {
    let bound = field
        .and_then(|field| field.range)
        .map(|(low, high)| if from.next_u32().is_multiple_of(2) { low } else { high });
    let odd = ["\"\"", "\"x\"", "\"a \\\"quoted\\\" \\\\ é\\n\"", "r#\"raw \"text\" \"#"];
    match text {
        "text" => odd[from.next_u32() as usize % odd.len()].to_owned(),
        "true or false" => (from.next_u32().is_multiple_of(2)).to_string(),
        "whole number" => bound.map_or_else(|| (from.next_u32() % 256).to_string(), str::to_owned),
        _ if text.starts_with("CAN identifier") => ["0x7E0", "0x00000123"][from.next_u32() as usize % 2].to_owned(),
        _ if text.starts_with("duration, voltage") => {
            ["\"70s\"", "\"9.5V\"", "\"80%\""][from.next_u32() as usize % 3].into()
        }
        _ if text.contains("for instance ") => text.split("for instance ").last().unwrap_or_default().to_owned(),
        _ => {
            let unit = text.split(['(', ',', ')']).nth(1).unwrap_or_default();
            bound.map_or_else(|| format!("\"{}{unit}\"", from.next_u32() % 1000), |bound| format!("\"{bound}\""))
        }
    }
}

fn quantity_round_trips<Q: Quantity + PartialEq + std::fmt::Debug>(base: i128) {
    if let Some(quantity) = Q::from_base(base) {
        let text = quantity::text(quantity);
        assert_eq!(quantity::parse::<Q>(&text), Ok(quantity), "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_written_canonically_reads_back_the_same(seed in any::<u64>()) {
        let text = sample(&RawScenario::shape(), None, 0, &mut stream(seed, "sample"));
        let (first, diagnostics) = read(&text);
        prop_assert!(diagnostics.is_empty(), "{text}\n{diagnostics:?}");
        let first = first.expect("a scenario without diagnostics");
        let canonical = first.resolved_text();
        let (second, diagnostics) = read(&canonical);
        prop_assert!(diagnostics.is_empty(), "{canonical}\n{diagnostics:?}");
        let second = second.expect("a scenario without diagnostics");
        prop_assert_eq!(&second.resolved_text(), &canonical);
        prop_assert_eq!(second, first);
    }

    #[test]
    fn quantities_read_back_exactly(base in prop_oneof![any::<i32>().prop_map(i128::from), any::<u64>().prop_map(i128::from)]) {
        quantity_round_trips::<Span>(base);
        quantity_round_trips::<Voltage>(base);
        quantity_round_trips::<Resistance>(base);
        quantity_round_trips::<Share>(base);
        quantity_round_trips::<Rate>(base);
        quantity_round_trips::<Drift>(base);
        quantity_round_trips::<Bitrate>(base);
        quantity_round_trips::<Size>(base);
        quantity_round_trips::<Factor>(base);
        quantity_round_trips::<Temperature>(base);
        quantity_round_trips::<Volume>(base);
        quantity_round_trips::<Power>(base);
        quantity_round_trips::<Flow>(base);
    }

    #[test]
    fn decimals_are_read_digit_by_digit(whole in 0_u64..1_000_000_000, millis in 0_u64..1000) {
        let text = format!("{whole}.{millis:03}s");
        let expected = Span::from_nanos(whole * 1_000_000_000 + millis * 1_000_000);
        prop_assert_eq!(quantity::parse::<Span>(&text), Ok(expected));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,80}") {
        let _ = read(&text);
        let _ = read(&format!("(supply: (nominal: {text}), faults: [{text}])"));
        let _ = quantity::parse::<Span>(&text);
    }
}

#[test]
fn quantities_have_the_values_that_a_person_computes() {
    let ns = |text: &str| quantity::parse::<Span>(text).map(Span::as_nanos);
    assert_eq!(ns("70s"), Ok(70_000_000_000));
    assert_eq!(ns("812.5us"), Ok(812_500));
    assert_eq!(ns("0.000000001s"), Ok(1));
    assert_eq!(ns("1.5min"), Ok(90_000_000_000));
    assert_eq!(ns("2h"), Ok(7_200_000_000_000));
    assert_eq!(ns("70 s"), Ok(70_000_000_000));
    assert_eq!(ns("0.1ns"), Err(QuantityError::TooFine));
    assert_eq!(ns("-1s"), Err(QuantityError::TooLarge));
    assert_eq!(ns("70"), Err(QuantityError::NoUnit));
    assert_eq!(ns("s"), Err(QuantityError::NoNumber));
    assert_eq!(ns("1.s"), Err(QuantityError::NoNumber));
    assert_eq!(ns("1e3s"), Err(QuantityError::WrongUnit("e3s".to_owned())));
    assert_eq!(quantity::parse::<Voltage>("9.5V").map(Voltage::millivolts), Ok(9_500));
    assert_eq!(quantity::parse::<Bitrate>("250kbit/s").map(Bitrate::bits_per_second), Ok(250_000));
    assert_eq!(quantity::parse::<Share>("80%").map(Share::permille), Ok(800));
    assert_eq!(quantity::parse::<Size>("385KiB").map(Size::bytes), Ok(394_240));
    assert_eq!(quantity::parse::<Drift>("-20ppm").map(Drift::ppm), Ok(-20));
    assert_eq!(quantity::parse::<Temperature>("35degC").map(Temperature::millicelsius), Ok(35_000));
    assert_eq!(quantity::parse::<Rate>("0.001%").map(Rate::ppb), Ok(10_000));
    assert_eq!(quantity::text(Span::from_nanos(812_500)), "812.5us");
    assert_eq!(quantity::text(Span::from_secs(70)), "70s");
    assert_eq!(quantity::text(Size::new(394_240)), "385KiB");
}
