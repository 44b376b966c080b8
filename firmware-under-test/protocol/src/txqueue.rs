//! Frames waiting for a transmit mailbox, the most urgent first.
//!
//! A controller has three mailboxes; a CPU with more to send keeps the rest here. A newer cyclic message replaces one
//! of the same id that still waits, so that a bus that is blocked for a while does not deliver stale commands.

use heapless::Vec;

use crate::Frame;

/// Up to `N` waiting frames. `N` should be the number of ids that the CPU sends, plus one for each id that it pushes
/// instead of replacing: then nothing can be lost.
#[derive(Clone, Debug, Default, Hash)]
pub struct TxQueue<const N: usize> {
    frames: Vec<Frame, N>,
    dropped: u32,
}

impl<const N: usize> TxQueue<N> {
    /// An empty queue.
    #[must_use]
    pub const fn new() -> Self {
        Self { frames: Vec::new(), dropped: 0 }
    }

    /// Adds a cyclic message in place of a waiting one with the same id.
    pub fn replace(&mut self, frame: Frame) {
        match self.frames.iter_mut().find(|waiting| waiting.id() == frame.id()) {
            Some(waiting) => *waiting = frame,
            None => self.push(frame),
        }
    }

    /// Adds a frame behind those with the same id. If the queue is full the frame is lost and counted.
    pub fn push(&mut self, frame: Frame) {
        if self.frames.push(frame).is_err() {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// Takes the frame with the lowest id; among equals the oldest.
    pub fn pop(&mut self) -> Option<Frame> {
        self.pop_where(|_| true)
    }

    /// [`Self::pop`] among the frames that `may` leave now; the others wait on.
    pub fn pop_where(&mut self, may: impl Fn(&Frame) -> bool) -> Option<Frame> {
        let lowest = self.frames.iter().filter(|frame| may(frame)).map(Frame::id).min()?;
        let index = self.frames.iter().position(|frame| frame.id() == lowest)?;
        Some(self.frames.remove(index))
    }

    /// Drops waiting frames with this id.
    pub fn cancel(&mut self, id: embedded_can::StandardId) {
        self.frames.retain(|frame| !frame.has_id(id));
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Frames lost because the queue was full.
    #[must_use]
    pub const fn dropped(&self) -> u32 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_can::StandardId;

    fn frame(id: u16, byte: u8) -> Frame {
        Frame::with_bytes(StandardId::new(id).unwrap(), [byte])
    }

    #[test]
    fn the_lowest_id_leaves_first_and_equals_keep_their_order() {
        let mut queue = TxQueue::<4>::new();
        queue.push(frame(0x700, 1));
        queue.push(frame(0x700, 2));
        queue.push(frame(0x101, 3));
        let order: std::vec::Vec<u8> = std::iter::from_fn(|| queue.pop()).map(|f| f.data()[0]).collect();
        assert_eq!(order, [3, 1, 2]);
    }

    #[test]
    fn a_frame_that_may_not_leave_yet_lets_the_next_id_pass_and_keeps_its_place() {
        let mut queue = TxQueue::<3>::new();
        queue.push(frame(0x101, 1));
        queue.push(frame(0x102, 2));
        queue.push(frame(0x700, 3));
        let not_the_first = |frame: &Frame| !frame.has_id(StandardId::new(0x101).unwrap());
        assert_eq!(queue.pop_where(not_the_first), Some(frame(0x102, 2)));
        assert_eq!(queue.pop(), Some(frame(0x101, 1)));
        assert_eq!(queue.pop_where(|_| false), None);
        assert_eq!(queue.pop(), Some(frame(0x700, 3)));
    }

    #[test]
    fn a_newer_cyclic_message_takes_the_place_of_the_waiting_one() {
        let mut queue = TxQueue::<2>::new();
        queue.replace(frame(0x101, 1));
        queue.replace(frame(0x101, 2));
        assert_eq!(queue.pop(), Some(frame(0x101, 2)));
        assert!(queue.is_empty());
    }

    #[test]
    fn a_full_queue_counts_what_it_loses() {
        let mut queue = TxQueue::<1>::new();
        queue.push(frame(1, 1));
        queue.push(frame(2, 2));
        assert_eq!(queue.dropped(), 1);
        assert_eq!(queue.pop(), Some(frame(1, 1)));
    }

    #[test]
    fn a_full_queue_still_replaces_what_waits() {
        let mut queue = TxQueue::<1>::new();
        queue.push(frame(0x101, 1));
        queue.replace(frame(0x101, 2));
        assert_eq!((queue.pop(), queue.dropped()), (Some(frame(0x101, 2)), 0));
    }

    #[test]
    fn cancelling_takes_one_id_only() {
        let mut queue = TxQueue::<4>::new();
        queue.push(frame(0x701, 1));
        queue.push(frame(0x101, 2));
        queue.push(frame(0x701, 3));
        queue.cancel(StandardId::new(0x701).unwrap());
        assert_eq!((queue.pop(), queue.pop()), (Some(frame(0x101, 2)), None));
    }
}
