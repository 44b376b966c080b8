//! The package's pump firmware: is it there, is every byte of it good.
//!
//! The whole image is checked before anything is written to a pump (PFU-015), in slices so that a step stays short.

use core::hash::{Hash, Hasher};

use protocol::header::{CRC32, HEADER_LEN, IMAGE_LEN_MOST, ImageDigest, ImageHeader};

use crate::log::Cause;

/// Whether the CIOC package holds pump firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PackageState {
    /// The package holds none: normal, there is nothing to do (PFU-001).
    NoPumpFirmware,
    /// The package names an image that is absent (FW001).
    Missing,
    /// An image of `length` bytes.
    Present {
        /// Bytes in the store.
        length: u32,
    },
}

/// The CIOC's file store.
pub trait Package {
    /// What the package holds now.
    fn state(&self) -> PackageState;
    /// Reads `into.len()` bytes of the image from `offset`; `false` if that is not possible.
    fn read(&self, offset: u32, into: &mut [u8]) -> bool;
}

/// Which image a consent is for: both checksums of its header, which together cover every byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ImageHash {
    /// CRC-32 of the header.
    pub header: u32,
    /// CRC-32 of the rest.
    pub payload: u32,
}

/// A checked image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Image {
    pub(crate) header: ImageHeader,
    pub(crate) hash: ImageHash,
}

/// Bytes checked in one step.
const SLICE_LEN: usize = 4_096;
const CHUNK_LEN: usize = 512;

/// A check that goes on from step to step.
#[derive(Clone)]
pub(crate) struct ImageCheck {
    image: Image,
    offset: u32,
    digest: ImageDigest,
}

impl Hash for ImageCheck {
    /// A digest stands for what it would come to.
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Self { image, offset, digest } = self;
        (image, offset, digest.clone().finalize()).hash(to);
    }
}

/// What a check has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verdict {
    /// More slices are to come.
    Unfinished,
    Good(Image),
    Bad(Cause),
}

/// Reads and checks the header; the stated length must be that of the file and fit a pump.
pub(crate) fn read_image(package: &dyn Package) -> Result<Option<Image>, Cause> {
    let length = match package.state() {
        PackageState::NoPumpFirmware => return Ok(None),
        PackageState::Missing => return Err(Cause::FileNotFound),
        PackageState::Present { length } => length,
    };
    let mut bytes = [0; HEADER_LEN];
    if !package.read(0, &mut bytes) {
        return Err(Cause::ImageRejected);
    }
    let header = ImageHeader::decode(&bytes).map_err(|_| Cause::ImageRejected)?;
    if header.length != length || length > IMAGE_LEN_MOST {
        return Err(Cause::ImageRejected);
    }
    let [.., a, b, c, d] = bytes;
    let hash = ImageHash { header: u32::from_le_bytes([a, b, c, d]), payload: header.payload_crc };
    Ok(Some(Image { header, hash }))
}

impl ImageCheck {
    pub(crate) fn new(image: Image) -> Self {
        Self { image, offset: HEADER_LEN as u32, digest: CRC32.digest() }
    }

    /// Checks the next 4 KB.
    pub(crate) fn slice(&mut self, package: &dyn Package) -> Verdict {
        let mut buffer = [0; CHUNK_LEN];
        for _ in 0..SLICE_LEN / CHUNK_LEN {
            let left = self.image.header.length.saturating_sub(self.offset);
            if left == 0 {
                return self.verdict();
            }
            let len = left.min(CHUNK_LEN as u32);
            let Some(chunk) = buffer.get_mut(..len as usize) else { return Verdict::Bad(Cause::ImageRejected) };
            if !package.read(self.offset, chunk) {
                return Verdict::Bad(Cause::ImageRejected);
            }
            self.digest.update(chunk);
            self.offset = self.offset.saturating_add(len);
        }
        Verdict::Unfinished
    }

    fn verdict(&self) -> Verdict {
        if self.digest.clone().finalize() == self.image.header.payload_crc {
            Verdict::Good(self.image)
        } else {
            Verdict::Bad(Cause::ImageRejected)
        }
    }
}
