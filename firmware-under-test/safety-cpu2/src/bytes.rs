//! Little-endian fields in byte strings, without a way to run off the end.
//!
//! Reading outside gives `None`, writing outside does nothing and says so. All packing of this CPU goes through here.
//!
//! Diverse: fields are taken by offset as values that may be missing, not by a cursor or a cast.

/// `N` bytes from `at` on.
pub(crate) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

pub(crate) fn u8_at(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array_at(bytes, at).map(u16::from_le_bytes)
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_le_bytes)
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array_at(bytes, at).map(u64::from_le_bytes)
}

/// Writes `what` from `at` on if all of it has room; tells whether it had.
pub(crate) fn put(bytes: &mut [u8], at: usize, what: &[u8]) -> bool {
    let place = at.checked_add(what.len()).and_then(|end| bytes.get_mut(at..end));
    place.map(|place| place.copy_from_slice(what)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_little_endian_and_never_run_off_the_end() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(u16_at(&bytes, 1), Some(0x0302));
        assert_eq!(u32_at(&bytes, 4), Some(0x0807_0605));
        assert_eq!(u64_at(&bytes, 0), Some(0x0807_0605_0403_0201));
        assert_eq!(u32_at(&bytes, 5), None);
        assert_eq!(u8_at(&bytes, usize::MAX), None);
        assert_eq!(array_at::<2>(&bytes, usize::MAX), None);
        let mut place = [0; 4];
        assert!(put(&mut place, 1, &[9, 8, 7]));
        assert!(!put(&mut place, 2, &[1, 1, 1]) && !put(&mut place, usize::MAX, &[1]));
        assert_eq!(place, [0, 9, 8, 7]);
    }
}
