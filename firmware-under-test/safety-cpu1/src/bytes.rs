//! Little-endian fields of byte buffers, without a way to panic.

/// The `N` bytes at `at`.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// The byte at `at`.
pub(crate) fn u8_at(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

/// The 16-bit number at `at`.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

/// The 32-bit number at `at`.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

/// The 64-bit number at `at`.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}

/// Puts `field` at `at`; what does not fit is left out, which a fixed layout never meets.
pub(crate) fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    for (to, from) in bytes.iter_mut().skip(at).zip(field) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_and_nothing_is_read_beyond_the_end() {
        let mut bytes = [0; 10];
        put(&mut bytes, 1, &0x1234_5678u32.to_le_bytes());
        put(&mut bytes, 8, &[1, 2, 3]);
        assert_eq!(u32_at(&bytes, 1), Some(0x1234_5678));
        assert_eq!(u16_at(&bytes, 2), Some(0x3456));
        assert_eq!(u16_at(&bytes, 8), Some(0x0201));
        assert_eq!(u8_at(&bytes, 9), Some(2));
        assert_eq!((u8_at(&bytes, 10), u16_at(&bytes, 9), u64_at(&bytes, usize::MAX)), (None, None, None));
    }
}
