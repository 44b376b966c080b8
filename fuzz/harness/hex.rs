//! Image files from arbitrary bytes: as `.bin`, as `.hex`, and under a name of neither kind.
//!
//! An image that is accepted has 1 to 524,284 bytes, and written as a plain hex file it reads back the same. Byte 0
//! asks for help with checksums, which no fuzzer guesses.

use cooltwin::scenario::image_file::{LEN_MOST, decode};

/// Byte 0: whether the checksums of the text behind it are mended first.
pub(crate) fn run(data: &[u8]) {
    let Some((mend, bytes)) = data.split_first() else { return };
    assert!(decode("fw.elf", bytes).is_err() && decode("hex", bytes).is_err());
    assert_eq!(decode("fw.BIN", bytes).ok().as_deref(), Some(bytes).filter(|bytes| !bytes.is_empty()));
    let text = if mend & 1 == 1 { mended(bytes) } else { bytes.to_vec() };
    match decode("fw.hex", &text) {
        Ok(image) => {
            assert!((1..=LEN_MOST).contains(&image.len()));
            assert_eq!(decode("again.hex", plain_hex(&image).as_bytes()), Ok(image));
        }
        Err(why) => assert!(!why.is_empty()),
    }
}

/// Replaces the last byte of every record by the checksum of those before it.
fn mended(bytes: &[u8]) -> Vec<u8> {
    let lines = bytes.split(|byte| *byte == b'\n').map(|line| mended_line(line).unwrap_or_else(|| line.to_vec()));
    lines.collect::<Vec<_>>().join(&b'\n')
}

/// Two's complement of the sum of all bytes, as the Intel specification has it.
fn mended_line(line: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(line).ok()?.trim_end_matches('\r');
    let digits = text.strip_prefix(':')?;
    let digits = digits.get(..digits.len().checked_sub(2)?)?;
    let mut sum = 0_u8;
    for pair in digits.as_bytes().chunks(2) {
        sum = sum.wrapping_add(u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?);
    }
    Some(format!(":{digits}{:02X}", sum.wrapping_neg()).into_bytes())
}

/// The image from address 0 on in records of 32 bytes, each 64 KiB behind an extended linear address.
fn plain_hex(image: &[u8]) -> String {
    let mut text = String::new();
    for (index, piece) in image.chunks(32).enumerate() {
        let at = index * 32;
        if at.is_multiple_of(0x1_0000) {
            text.push_str(&record(&[2, 0, 0, 4, 0, (at >> 16) as u8]));
        }
        let head = [piece.len() as u8, (at >> 8) as u8, at as u8, 0];
        text.push_str(&record(&[&head, piece].concat()));
    }
    text + ":00000001FF\n"
}

fn record(bytes: &[u8]) -> String {
    let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    let digits: String = bytes.iter().chain(&[sum.wrapping_neg()]).map(|byte| format!("{byte:02X}")).collect();
    format!(":{digits}\n")
}
