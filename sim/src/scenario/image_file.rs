//! Firmware image files: raw `.bin` and Intel `.hex`.
//!
//! An image opens with the header of 64 bytes that `protocol::header` lays out. A file without a good one may be delivered
//! all the same, since that is a story of its own; it is told of.
//!
//! A hex file places its bytes at addresses; the image begins at the lowest one, and gaps hold 0xFF, as erased flash does.

use std::collections::BTreeMap;

use ihex::{ReaderError, Record};
use protocol::header::{CRC32, HEADER_LEN, HeaderError, ImageHeader};

/// Longest image that fits the pumps' flash beside its valid marker, in bytes.
pub const LEN_MOST: usize = pump::flash_map::IMAGE_LEN_MOST as usize;

/// The image that a file of that name holds.
///
/// # Errors
/// What is wrong with the file, for people.
pub fn decode(name: &str, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let image = match name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).as_deref() {
        Some("bin") => bytes.to_vec(),
        Some("hex") => decode_hex(bytes)?,
        _ => return Err("its name ends neither in .bin nor in .hex".to_owned()),
    };
    if image.is_empty() || image.len() > LEN_MOST {
        return Err(format!("it holds {}; an image has 1 to {LEN_MOST}", sized(&image)));
    }
    Ok(image)
}

/// `1 byte`, `9 bytes`.
fn sized(image: &[u8]) -> String {
    format!("{} byte{}", image.len(), if image.len() == 1 { "" } else { "s" })
}

/// What an image says of itself.
///
/// # Errors
/// Why pumps would refuse it, for people.
pub fn header(image: &[u8]) -> Result<ImageHeader, String> {
    let Some((bytes, payload)) = image.split_first_chunk::<HEADER_LEN>() else {
        return Err(format!("it has {}, fewer than the {HEADER_LEN} of a CPFW header", sized(image)));
    };
    let header = ImageHeader::decode(bytes).map_err(|error| match error {
        HeaderError::NotAnImage => "it does not begin with a CPFW header".to_owned(),
        HeaderError::Checksum => "the checksum of its CPFW header is wrong".to_owned(),
        HeaderError::Length => "its CPFW header states a length that leaves nothing behind the header".to_owned(),
    })?;
    if usize::try_from(header.length) != Ok(image.len()) {
        return Err(format!("its CPFW header states {} bytes, and it has {}", header.length, image.len()));
    }
    if CRC32.checksum(payload) != header.payload_crc {
        return Err("the checksum of what follows its CPFW header is wrong".to_owned());
    }
    Ok(header)
}

fn decode_hex(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "a hex file is plain text".to_owned())?;
    let mut base = 0_u32;
    let mut pieces: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    let mut ended = false;
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty()) {
        match Record::from_record_string(line).map_err(|error| format!("line {number}: {}", record_words(&error)))? {
            Record::Data { offset, value } => {
                let at = base.checked_add(u32::from(offset));
                let at = at.ok_or_else(|| format!("line {number}: the address does not fit 32 bits"))?;
                if pieces.insert(at, value).is_some() {
                    return Err(format!("line {number}: address 0x{at:08X} is written twice"));
                }
            }
            Record::ExtendedSegmentAddress(segment) => base = u32::from(segment) << 4,
            Record::ExtendedLinearAddress(upper) => base = u32::from(upper) << 16,
            Record::EndOfFile => {
                ended = true;
                break;
            }
            Record::StartSegmentAddress { .. } | Record::StartLinearAddress(_) => {}
        }
    }
    if ended { join(&pieces) } else { Err("the end-of-file record is missing".to_owned()) }
}

/// What is wrong with a record, in words of the Intel specification.
fn record_words(error: &ReaderError) -> String {
    let words = match error {
        ReaderError::MissingStartCode => "a record begins with `:`",
        ReaderError::RecordTooShort => "the record is cut off: the shortest has 10 digits behind its `:`",
        ReaderError::RecordTooLong => "the record is too long: the longest has 520 digits behind its `:`",
        ReaderError::RecordNotEvenLength => "the record has an odd number of digits",
        ReaderError::ContainsInvalidCharacters => "the record holds something that is no hexadecimal digit",
        ReaderError::PayloadLengthMismatch => "the record does not have as many data bytes as its first byte states",
        ReaderError::InvalidLengthForType => "the record has more or fewer data bytes than its type needs",
        // The decoder's first number is worked out from the record's bytes, its second one stands in the record.
        ReaderError::ChecksumMismatch(worked_out, written) => {
            return format!("the record's checksum is 0x{written:02X}, its bytes give 0x{worked_out:02X}");
        }
        ReaderError::UnsupportedRecordType(kind) => return format!("there is no record of type 0x{kind:02X}"),
    };
    words.to_owned()
}

/// The pieces in one row from the lowest address on.
fn join(pieces: &BTreeMap<u32, Vec<u8>>) -> Result<Vec<u8>, String> {
    let first = pieces.keys().next().copied().unwrap_or_default();
    let mut image = Vec::new();
    for (at, piece) in pieces {
        let start = usize::try_from(at - first).map_err(|_| "an address does not fit")?;
        if start < image.len() {
            return Err(format!("address 0x{at:08X} is written twice"));
        }
        if start + piece.len() > LEN_MOST {
            return Err(format!("its addresses span more than {LEN_MOST} bytes"));
        }
        image.resize(start, 0xFF);
        image.extend_from_slice(piece);
    }
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // Two data records of the Intel specification's form, checksums computed by hand: 0x100 - sum of bytes.
    const GAP: &str = ":020000040800F2\n:0400000001020304F2\n:02000600AABB93\n:00000001FF\n";

    #[test]
    fn a_hex_file_begins_at_its_lowest_address_and_fills_gaps_with_erased_flash() {
        assert_eq!(decode("fw.hex", GAP.as_bytes()), Ok(vec![1, 2, 3, 4, 0xFF, 0xFF, 0xAA, 0xBB]));
        assert_eq!(decode("FW.BIN", &[7, 8]), Ok(vec![7, 8]));
    }

    #[test]
    fn an_image_says_what_is_wrong_with_it() {
        let payload = b"123456789";
        // The published check value of CRC-32/ISO-HDLC over these nine bytes.
        let version = protocol::header::Version { major: 2, minor: 3, patch: 4 };
        let head = ImageHeader { model: protocol::header::ModelId(1), version, length: 73, payload_crc: 0xCBF4_3926 };
        let whole = [&head.encode()[..], payload].concat();
        assert_eq!(header(&whole), Ok(head));
        let why = |image: &[u8]| header(image).expect_err("refused");
        assert_eq!(why(&whole[..63]), "it has 63 bytes, fewer than the 64 of a CPFW header");
        assert_eq!(why(&whole[1..]), "it does not begin with a CPFW header");
        assert_eq!(why(&whole[..72]), "its CPFW header states 73 bytes, and it has 72");
        let flipped = |at: usize| whole.iter().enumerate().map(|(i, b)| b ^ u8::from(i == at)).collect::<Vec<u8>>();
        assert_eq!(why(&flipped(8)), "the checksum of its CPFW header is wrong");
        assert_eq!(why(&flipped(72)), "the checksum of what follows its CPFW header is wrong");
    }

    #[test]
    fn bad_image_files_are_refused() {
        let refused = |name: &str, text: &str| decode(name, text.as_bytes()).is_err();
        assert!(refused("fw.elf", "x"), "unknown kind");
        assert!(refused("fw.bin", ""), "empty");
        assert!(refused("fw.hex", ":0400000001020304F3\n:00000001FF\n"), "wrong checksum");
        assert!(refused("fw.hex", ":0400000001020304F2\n"), "no end");
        assert!(refused("fw.hex", ":0400000001020304F2\n:0400000001020304F2\n:00000001FF\n"), "twice");
        assert!(refused("fw.hex", ":0400000001020304F2\n:02000200AABB97\n:00000001FF\n"), "overlap");
        assert!(refused("fw.hex", ":0100000000FF\n:020000040800F2\n:0100000000FF\n:00000001FF\n"), "128 MiB apart");
        assert!(decode("fw.bin", &vec![0; LEN_MOST + 1]).is_err(), "too long");
    }

    #[test]
    fn a_damaged_hex_file_is_told_of_with_its_line() {
        let why = |third: &str| decode("fw.hex", format!(":0400000001020304F2\n\n{third}\n:00000001FF\n").as_bytes());
        assert!(why(":0400040001020304EE").is_ok());
        for (third, words) in [
            (":0400040001020304EF", "the record's checksum is 0xEF, its bytes give 0xEE"),
            ("0400040001020304EE", "a record begins with `:`"),
            (":040004", "the record is cut off: the shortest has 10 digits behind its `:`"),
            (":0400040001020304E", "the record has an odd number of digits"),
            (":04000400010203O4EE", "the record holds something that is no hexadecimal digit"),
            (":0500040001020304ED", "the record does not have as many data bytes as its first byte states"),
            (":0100000400FB", "the record has more or fewer data bytes than its type needs"),
            (":0000000AF6", "there is no record of type 0x0A"),
            (":0400000001020304F2", "address 0x00000000 is written twice"),
        ] {
            assert_eq!(why(third), Err(format!("line 3: {words}")), "{third}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), text in "(:[0-9A-F]{8,24}\n){0,4}") {
            let _ = decode("fw.hex", &bytes);
            let _ = decode("fw.hex", text.as_bytes());
        }
    }
}
