//! One classic CAN frame, as a controller's mailbox holds it.

use embedded_can::{ExtendedId, Frame as CanFrame, Id, StandardId};

/// A classic CAN data frame with 0 to 8 bytes of data (ISO 11898-1); remote frames are not used in this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    id: Id,
    len: u8,
    data: [u8; 8],
}

impl Frame {
    /// A frame with `data`, or `None` if that is more than 8 bytes.
    #[must_use]
    pub fn data_frame(id: impl Into<Id>, data: &[u8]) -> Option<Self> {
        let mut bytes = [0; 8];
        bytes.get_mut(..data.len())?.copy_from_slice(data);
        let len = u8::try_from(data.len()).ok()?;
        Some(Self { id: id.into(), len, data: bytes })
    }

    /// A frame with exactly `N` bytes; `N` above 8 does not compile.
    #[must_use]
    pub fn with_bytes<const N: usize>(id: StandardId, data: [u8; N]) -> Self {
        const { assert!(N <= 8, "a classic CAN frame holds at most 8 bytes") };
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().zip(data) {
            *to = from;
        }
        Self { id: Id::Standard(id), len: N as u8, data: bytes }
    }

    /// The identifier; `Id` orders by arbitration, lowest first.
    #[must_use]
    pub const fn id(&self) -> Id {
        self.id
    }

    /// The data bytes.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        self.data.get(..usize::from(self.len)).unwrap_or(&self.data)
    }

    /// Whether the frame carries the 11-bit id `id`.
    #[must_use]
    pub fn has_id(&self, id: StandardId) -> bool {
        self.id == Id::Standard(id)
    }
}

impl CanFrame for Frame {
    fn new(id: impl Into<Id>, data: &[u8]) -> Option<Self> {
        Self::data_frame(id, data)
    }

    /// Remote frames are not part of this system's protocol.
    fn new_remote(_id: impl Into<Id>, _dlc: usize) -> Option<Self> {
        None
    }

    fn is_extended(&self) -> bool {
        matches!(self.id, Id::Extended(_))
    }

    fn is_remote_frame(&self) -> bool {
        false
    }

    fn id(&self) -> Id {
        self.id
    }

    fn dlc(&self) -> usize {
        usize::from(self.len)
    }

    fn data(&self) -> &[u8] {
        self.data()
    }
}

/// The raw bits of an identifier, 11 or 29.
#[must_use]
pub fn raw_id(id: Id) -> u32 {
    match id {
        Id::Standard(standard) => u32::from(StandardId::as_raw(&standard)),
        Id::Extended(extended) => ExtendedId::as_raw(&extended),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_bytes_do_not_fit() {
        let id = StandardId::ZERO;
        assert!(Frame::data_frame(id, &[0; 9]).is_none());
        assert_eq!(Frame::data_frame(id, &[0; 8]).map(|f| f.data().len()), Some(8));
    }

    #[test]
    fn a_frame_gives_back_what_was_put_in() {
        let id = StandardId::new(0x123).unwrap();
        let frame = Frame::with_bytes(id, [1, 2, 3]);
        assert_eq!(frame.data(), [1, 2, 3]);
        assert!(frame.has_id(id));
        assert_eq!(raw_id(frame.id()), 0x123);
    }

    #[test]
    fn a_frame_is_the_same_through_the_interface_of_embedded_can() {
        let standard = StandardId::new(0x123).unwrap();
        let frame = <Frame as CanFrame>::new(standard, &[1, 2, 3]).unwrap();
        assert_eq!(frame, Frame::with_bytes(standard, [1, 2, 3]));
        assert_eq!(CanFrame::id(&frame), Id::Standard(standard));
        assert_eq!((CanFrame::dlc(&frame), CanFrame::data(&frame)), (3, &[1, 2, 3][..]));
        assert!(!frame.is_extended() && !frame.is_remote_frame());
        assert!(<Frame as CanFrame>::new(standard, &[0; 9]).is_none());
        assert!(<Frame as CanFrame>::new_remote(standard, 3).is_none(), "remote frames are not used");
        let extended = <Frame as CanFrame>::new(ExtendedId::new(0x1234_5678).unwrap(), &[]).unwrap();
        assert!(extended.is_extended());
        assert_eq!(raw_id(extended.id()), 0x1234_5678);
    }
}
