//! Whether the slot holds an image that may be started, found out in slices.
//!
//! A check reads the marker and the header in its first step and up to [`SLICE_LEN`] bytes of payload in each further
//! one, so that the CPU can serve the bus in between. It runs at every boot (bit flips
//! at rest are found, PFU-021) and before the marker is programmed.

use core::fmt;

use core::hash::{Hash, Hasher};

use protocol::header::{CRC32, HEADER_LEN, HeaderError, ImageDigest, ImageHeader, ModelId};

use crate::FlashMemory;
use crate::flash_map::{IMAGE_LEN_MOST, MARKER, MARKER_ADDRESS};

/// Bytes of payload that one step reads.
pub const SLICE_LEN: u32 = 4_096;
/// Bytes on the stack at a time.
const CHUNK_LEN: usize = 512;

/// Why an image may not be started; the number is the result of the UDS routine "check programming dependencies".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ImageFault {
    /// No magic or an unknown header format.
    NotAnImage = 1,
    /// The header's CRC does not fit.
    HeaderChecksum = 2,
    /// An image for another model.
    WrongModel = 3,
    /// Longer than the slot, no longer than the header, or not as long as announced.
    WrongLength = 4,
    /// The payload's CRC does not fit.
    PayloadChecksum = 5,
    /// The valid marker is not there.
    NoMarker = 6,
    /// The flash could not be read.
    Unreadable = 7,
}

/// Reads a header and holds it against this pump.
///
/// # Errors
/// [`ImageFault`] if the bytes are no header, or one of an image that this pump cannot hold or run.
pub fn check_header(bytes: &[u8; HEADER_LEN], model: ModelId) -> Result<ImageHeader, ImageFault> {
    let header = ImageHeader::decode(bytes).map_err(|error| match error {
        HeaderError::NotAnImage => ImageFault::NotAnImage,
        HeaderError::Checksum => ImageFault::HeaderChecksum,
        HeaderError::Length => ImageFault::WrongLength,
    })?;
    if header.model != model {
        return Err(ImageFault::WrongModel);
    }
    if header.length > IMAGE_LEN_MOST {
        return Err(ImageFault::WrongLength);
    }
    Ok(header)
}

/// Whether the marker is there.
pub(crate) fn has_marker(flash: &impl FlashMemory) -> Result<(), ImageFault> {
    let mut bytes = [0; 4];
    if !flash.read(MARKER_ADDRESS, &mut bytes) {
        return Err(ImageFault::Unreadable);
    }
    if u32::from_le_bytes(bytes) == MARKER { Ok(()) } else { Err(ImageFault::NoMarker) }
}

/// A running check.
#[derive(Clone, Hash)]
pub(crate) struct ImageCheck {
    model: ModelId,
    needs_marker: bool,
    payload: Option<Payload>,
}

#[derive(Clone)]
struct Payload {
    header: ImageHeader,
    at: u32,
    digest: ImageDigest,
}

impl Hash for Payload {
    /// A digest stands for what it would come to.
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Self { header, at, digest } = self;
        (header, at, digest.clone().finalize()).hash(to);
    }
}

impl ImageCheck {
    /// A check of a slot that must carry the marker: before the application starts.
    pub(crate) const fn with_marker(model: ModelId) -> Self {
        Self { model, needs_marker: true, payload: None }
    }

    /// A check of what was just programmed, before the marker.
    pub(crate) const fn without_marker(model: ModelId) -> Self {
        Self { model, needs_marker: false, payload: None }
    }

    /// Reads the next slice; `None` while there is more to read.
    pub(crate) fn step(&mut self, flash: &impl FlashMemory) -> Option<Result<ImageHeader, ImageFault>> {
        match &mut self.payload {
            Some(payload) => payload.read_slice(flash),
            None => match self.open(flash) {
                Ok(payload) => {
                    self.payload = Some(payload);
                    None
                }
                Err(fault) => Some(Err(fault)),
            },
        }
    }

    fn open(&self, flash: &impl FlashMemory) -> Result<Payload, ImageFault> {
        if self.needs_marker {
            has_marker(flash)?;
        }
        let mut bytes = [0; HEADER_LEN];
        if !flash.read(0, &mut bytes) {
            return Err(ImageFault::Unreadable);
        }
        let header = check_header(&bytes, self.model)?;
        Ok(Payload { header, at: HEADER_LEN as u32, digest: CRC32.digest() })
    }
}

impl Payload {
    fn read_slice(&mut self, flash: &impl FlashMemory) -> Option<Result<ImageHeader, ImageFault>> {
        let end = self.at.saturating_add(SLICE_LEN).min(self.header.length);
        let mut buffer = [0; CHUNK_LEN];
        for _ in 0..SLICE_LEN.div_ceil(CHUNK_LEN as u32) {
            let missing = usize::try_from(end.saturating_sub(self.at)).unwrap_or(0);
            let Some(chunk) = buffer.get_mut(..missing.min(CHUNK_LEN)) else { break };
            if !flash.read(self.at, chunk) {
                return Some(Err(ImageFault::Unreadable));
            }
            self.digest.update(chunk);
            self.at = self.at.saturating_add(u32::try_from(chunk.len()).unwrap_or(0));
        }
        (self.at >= self.header.length).then(|| self.verdict())
    }

    fn verdict(&self) -> Result<ImageHeader, ImageFault> {
        if self.digest.clone().finalize() == self.header.payload_crc {
            Ok(self.header)
        } else {
            Err(ImageFault::PayloadChecksum)
        }
    }
}

impl fmt::Debug for ImageCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.payload.as_ref().map(|payload| payload.at);
        f.debug_struct("ImageCheck").field("needs_marker", &self.needs_marker).field("at", &at).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::vec::Vec;

    use super::*;
    use crate::testing::{MODEL, StrictFlash, image};

    /// Notes how many bytes each step reads.
    struct Counted<'a> {
        flash: &'a StrictFlash,
        read: RefCell<usize>,
    }

    impl FlashMemory for Counted<'_> {
        fn read(&self, address: u32, into: &mut [u8]) -> bool {
            *self.read.borrow_mut() += into.len();
            self.flash.read(address, into)
        }
    }

    fn run(flash: &StrictFlash, mut check: ImageCheck) -> (Result<ImageHeader, ImageFault>, Vec<usize>) {
        let mut slices = Vec::new();
        loop {
            let counted = Counted { flash, read: RefCell::new(0) };
            let verdict = check.step(&counted);
            slices.push(counted.read.into_inner());
            if let Some(verdict) = verdict {
                return (verdict, slices);
            }
        }
    }

    fn installed(bytes: &[u8]) -> StrictFlash {
        let mut flash = StrictFlash::new(1);
        flash.install(bytes);
        flash
    }

    #[test]
    fn a_check_reads_every_byte_once_in_slices_of_4_kb() {
        // 394,240 bytes as in the nominal update: 96 slices of 4,096 and one of 960 behind the header.
        let flash = installed(&image(MODEL, 1, 394_240 - 64));
        let (verdict, slices) = run(&flash, ImageCheck::with_marker(MODEL));
        assert_eq!(verdict.map(|header| header.length), Ok(394_240));
        let mut wanted = std::vec![68];
        wanted.extend([4_096; 96]);
        wanted.push(960);
        assert_eq!(slices, wanted);
    }

    #[test]
    fn each_fault_has_its_number() {
        let good = image(MODEL, 1, 5_000);
        let fault = |flash: &StrictFlash| run(flash, ImageCheck::with_marker(MODEL)).0.unwrap_err() as u8;
        let damaged = |byte: usize| {
            let mut flash = installed(&good);
            flash.bytes[byte] ^= 1;
            fault(&flash)
        };
        assert_eq!(damaged(0), 1);
        assert_eq!(damaged(16), 2);
        assert_eq!(fault(&installed(&image(ModelId(1), 1, 5_000))), 3);
        assert_eq!(damaged(4_999), 5);
        assert_eq!(damaged(0x7_FFFC), 6);
        let mut short = installed(&good);
        short.bytes.truncate(100);
        assert_eq!(run(&short, ImageCheck::with_marker(MODEL)).0, Err(ImageFault::Unreadable), "the marker");
        assert_eq!(run(&short, ImageCheck::without_marker(MODEL)).0, Err(ImageFault::Unreadable));
        short.bytes.truncate(60);
        assert_eq!(run(&short, ImageCheck::without_marker(MODEL)).0, Err(ImageFault::Unreadable), "the header");
        let long = ImageHeader {
            model: MODEL,
            version: ImageHeader::decode(good.first_chunk().unwrap()).unwrap().version,
            length: IMAGE_LEN_MOST + 1,
            payload_crc: 0,
        };
        assert_eq!(fault(&installed(&long.encode())), 4);
        let no_payload = ImageHeader { length: HEADER_LEN as u32 - 1, ..long };
        assert_eq!(fault(&installed(&no_payload.encode())), 4);
    }

    /// Two checks at the same place of two images are two states.
    #[test]
    fn a_check_is_told_from_another_by_what_it_has_read() {
        use std::hash::DefaultHasher;
        let second_slice = |damage: u8| {
            let mut flash = installed(&image(MODEL, 1, 10_000));
            flash.bytes[200] ^= damage;
            let mut check = ImageCheck::with_marker(MODEL);
            assert!(check.step(&flash).is_none() && check.step(&flash).is_none());
            let mut hasher = DefaultHasher::new();
            check.hash(&mut hasher);
            (hasher.finish(), std::format!("{check:?}"))
        };
        let (good, bad) = (second_slice(0), second_slice(1));
        assert_eq!(good, second_slice(0));
        assert_ne!(good.0, bad.0);
        assert_eq!(good.1, "ImageCheck { needs_marker: true, at: Some(4160), .. }");
    }
}
