//! What ISO-TP and the pumps can carry of `protocol`; other values would be rounded on the way, and nobody told.

use super::check::Problem;
use super::diagnostic::Code;
use super::model::Protocol;
use super::quantity::{Size, text};
use crate::kernel::Span;

/// Flash is programmed by words of this many bytes, so that blocks are whole ones.
const WORD: u32 = pump::flash_map::WORD_LEN;

/// What does not make sense in these parameters.
pub(super) fn problems(protocol: &Protocol) -> Vec<Problem> {
    [answers(protocol), separation(protocol.st_min), blocks(protocol.block_len)].into_iter().flatten().collect()
}

fn answers(protocol: &Protocol) -> Option<Problem> {
    let label = "the answer after response pending may take longer";
    (protocol.p2 > protocol.p2_star)
        .then(|| Problem::new(Code::Contradiction, "protocol.p2", "`p2` is longer than `p2_star`", label))
}

/// A gap that the byte of a flow control has no code for.
fn separation(gap: Span) -> Option<Problem> {
    let (below, above) = encodable(gap);
    (below != above).then(|| {
        let message = format!("ISO-TP cannot carry a separation time of {}", text(gap));
        let label = format!("write \"{}\" or \"{}\"", text(below), text(above));
        let help = "ISO 15765-2 encodes 0us to 900us in steps of 100us, and 1ms to 127ms in steps of 1ms";
        Problem { help: Some(help.to_owned()), ..Problem::new(Code::OutOfRange, "protocol.st_min", message, &label) }
    })
}

/// The longest gap that ISO-TP encodes and that is not longer than `gap`, and the shortest that is not shorter.
fn encodable(gap: Span) -> (Span, Span) {
    const STEP: u64 = 100_000;
    const MS: u64 = 1_000_000;
    let ns = gap.as_nanos();
    let below = if ns < MS { ns / STEP * STEP } else { ns / MS * MS };
    let above = if ns <= 9 * STEP { ns.next_multiple_of(STEP) } else { ns.next_multiple_of(MS) };
    (Span::from_nanos(below), Span::from_nanos(above))
}

/// A block that ends within a word of the flash.
fn blocks(block: Size) -> Option<Problem> {
    let below = block.bytes() / WORD * WORD;
    (below != block.bytes()).then(|| {
        let [below, above] = [below, below + WORD].map(|bytes| text(Size::new(bytes)));
        let message = format!("blocks of {} do not end with a word of the flash", text(block));
        let label = format!("write \"{below}\" or \"{above}\"");
        let help =
            format!("flash is programmed by words of {WORD} bytes; the image's last block is as long as it needs");
        Problem { help: Some(help), ..Problem::new(Code::OutOfRange, "protocol.block_len", message, &label) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::isotp::SeparationTime;

    /// Against the firmware's own encoding, over all whole microseconds up to the longest gap.
    #[test]
    fn a_gap_is_encodable_where_the_firmware_does_not_round_it() {
        for us in 0..=127_000 {
            let rounded = SeparationTime::at_least(units::Duration::from_micros(us)).gap().as_micros();
            let (below, above) = encodable(Span::from_micros(us));
            assert_eq!(above, Span::from_micros(rounded), "{us} us");
            assert_eq!(below == above, rounded == us, "{us} us");
            let kept = SeparationTime::at_least(units::Duration::from_micros(below.as_nanos() / 1_000)).gap();
            assert!(below <= above && Span::from_micros(kept.as_micros()) == below, "{us} us");
        }
        let (below, above) = encodable(Span::from_nanos(100_001));
        assert_eq!((below, above), (Span::from_micros(100), Span::from_micros(200)));
    }
}
