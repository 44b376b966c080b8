//! Decimals that are integers inside: exact both ways, and refused where they could only be rounded.

use proptest::prelude::*;
use reports::{Fixed, Millis, NumberError};

#[test]
fn a_duration_prints_every_nanosecond_and_no_other_zero() {
    let cases = [
        (0, "0"),
        (1, "0.000001"),
        (-1, "-0.000001"),
        (500_000, "0.5"),
        (66_512_345_678, "66512.345678"),
        (70_000_000_000, "70000"),
        (-1_304_250_000, "-1304.25"),
        (i64::MAX, "9223372036854.775807"),
        (i64::MIN, "-9223372036854.775808"),
    ];
    for (nanos, text) in cases {
        assert_eq!(Millis::from_signed_nanos(nanos).to_string(), text);
        assert_eq!(text.parse(), Ok(Millis::from_signed_nanos(nanos)));
        assert_eq!(serde_json::to_string(&Millis::from_signed_nanos(nanos)).unwrap(), text);
    }
}

#[test]
fn other_writings_of_the_same_number_are_read() {
    for text in ["66512.345678", "66512.345678000", "6651234.5678e-2", "66.512345678E3", "66512345678e-6"] {
        assert_eq!(text.parse(), Ok(Millis::from_nanos(66_512_345_678)), "{text}");
    }
    assert_eq!("-0".parse(), Ok(Fixed::ZERO));
    assert_eq!("0e99".parse(), Ok(Fixed::ZERO));
    assert_eq!("1e6".parse(), Ok(Fixed::scaled(1_000_000, 0)));
}

#[test]
fn what_could_only_be_rounded_is_refused() {
    assert_eq!("0.0000001".parse::<Millis>(), Err(NumberError::TooPrecise));
    assert_eq!("1e-7".parse::<Fixed>(), Err(NumberError::TooPrecise));
    assert_eq!("9223372036854.775808".parse::<Fixed>(), Err(NumberError::OutOfRange));
    assert_eq!("1e13".parse::<Fixed>(), Err(NumberError::OutOfRange));
    assert_eq!("1e2147483647".parse::<Fixed>(), Err(NumberError::OutOfRange));
    for text in ["", "-", ".5", "5.", "05", "+5", "1.-5", "0x10", "NaN", "1 ", "--1", "1e", "\"1\""] {
        assert_eq!(text.parse::<Fixed>(), Err(NumberError::NotANumber), "{text:?}");
    }
}

#[test]
fn scaling_moves_the_point() {
    assert_eq!(Fixed::scaled(814, 1).to_string(), "81.4");
    assert_eq!(Fixed::scaled(-41_280, 3).to_string(), "-41.28");
    assert_eq!(Fixed::scaled(1_999_999_999, 9).to_string(), "1.999999");
    assert_eq!(Fixed::scaled(1, 400).to_string(), "0");
    assert_eq!(Fixed::scaled(i64::MAX, 0).as_millionths(), i64::MAX);
    assert_eq!(Millis::from_nanos(u64::MAX).as_nanos(), i64::MAX);
}

/// The same number by another way: fixed-width division of the absolute value, zeros kept.
fn padded(millionths: i64) -> String {
    let size = i128::from(millionths).abs();
    format!("{}{}.{:06}", if millionths < 0 { "-" } else { "" }, size / 1_000_000, size % 1_000_000)
}

proptest! {
    #[test]
    fn every_duration_comes_back_from_json(nanos in any::<i64>()) {
        let time = Millis::from_signed_nanos(nanos);
        let text = serde_json::to_string(&time).unwrap();
        prop_assert_eq!(serde_json::from_str::<Millis>(&text).unwrap(), time);
    }

    #[test]
    fn the_shortest_text_and_the_padded_text_are_the_same_number(millionths in any::<i64>()) {
        let number = Fixed::from_millionths(millionths);
        prop_assert_eq!(padded(millionths).parse(), Ok(number));
        let text = number.to_string();
        prop_assert!(!text.contains('.') || !text.ends_with('0'));
        prop_assert!(padded(millionths).starts_with(&text));
    }

    #[test]
    fn reading_never_panics(text in "[-+0-9.eE]{0,24}") {
        let _ = text.parse::<Fixed>();
    }

    #[test]
    fn durations_and_budgets_in_ms_are_the_same_number(nanos in any::<i64>()) {
        let time = Millis::from_signed_nanos(nanos);
        prop_assert_eq!(Fixed::from(time).to_string(), time.to_string());
        prop_assert_eq!(Millis::from(Fixed::from(time)), time);
    }
}
