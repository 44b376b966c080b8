//! A number stored twice, so that an upset of one copy is seen (SSM-13).
//!
//! The second copy is the complement: a stuck bit line or a cleared memory cannot make both agree.

/// A number and its complement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Twice {
    value: u32,
    complement: u32,
}

/// The copies differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Differs;

impl Twice {
    pub(crate) const fn new(value: u32) -> Self {
        Self { value, complement: !value }
    }

    /// The number.
    ///
    /// # Errors
    /// [`Differs`] if one of the copies has changed by itself.
    pub(crate) const fn get(self) -> Result<u32, Differs> {
        if self.value == !self.complement { Ok(self.value) } else { Err(Differs) }
    }
}

#[cfg(test)]
impl Twice {
    /// An upset in one copy.
    pub(crate) fn upset(&mut self, bit: u32) {
        self.value ^= 1 << bit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SSM-13.
    #[test]
    fn an_upset_of_any_bit_of_either_copy_is_seen() {
        for bit in 0..32 {
            let mut first = Twice::new(0x0F0F_1234);
            first.upset(bit);
            assert_eq!(first.get(), Err(Differs));
            let mut second = Twice::new(0x0F0F_1234);
            second.complement ^= 1 << bit;
            assert_eq!(second.get(), Err(Differs));
        }
        assert_eq!(Twice::new(7).get(), Ok(7));
    }
}
