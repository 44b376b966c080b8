//! UDS messages as the frames on the bus carry them: who asked what, and when.
//!
//! A listener beside the bus puts ISO-TP messages together (ISO 15765-2) by the id plan of `protocol::ids`. It is
//! written apart from the firmware's ISO-TP, which judges what it receives; this one only listens. Words: a message's
//! *begin* is the end of its first frame, its *end* the end of its last one.

use std::collections::BTreeMap;

use protocol::ids::PumpNumber;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// From the CIOC to a pump.
    Request,
    /// From a pump to the CIOC.
    Response,
}

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Number of the pump, 1 to 16.
    pub pump: u8,
    /// Which way.
    pub way: Way,
    /// Service id first.
    pub data: Vec<u8>,
    /// End of its first frame in nanoseconds.
    pub begin: u64,
    /// End of its last frame in nanoseconds.
    pub end: u64,
}

/// A message of several frames that is not whole yet.
#[derive(Clone, Debug)]
struct Partial {
    data: Vec<u8>,
    length: usize,
    next: u8,
    begin: u64,
}

/// Listens to frames.
#[derive(Clone, Debug, Default)]
pub struct Listener {
    open: BTreeMap<(u8, Way), Partial>,
    /// Messages that began and never became whole.
    pub broken_off: u64,
}

/// Pump and way of an 11-bit id; `None` if it carries no UDS.
fn meaning(id: u32) -> Option<(u8, Way)> {
    let id = embedded_can::StandardId::new(u16::try_from(id).ok()?)?;
    let first = |pump: &PumpNumber| protocol::ids::uds_request(*pump) == id;
    let asked = PumpNumber::first(PumpNumber::MOST).find(first).map(|pump| (pump.get(), Way::Request));
    asked.or_else(|| protocol::ids::uds_responder(id).map(|pump| (pump.get(), Way::Response)))
}

impl Listener {
    /// Hears a frame with an 11-bit id that ended at `time`; the message that it completes, if it does.
    pub fn hear(&mut self, time: u64, id: u32, data: &[u8]) -> Option<Message> {
        // Most frames are cyclic ones: out before any look-up.
        if id < 0x700 {
            return None;
        }
        let (pump, way) = meaning(id)?;
        let (kind, rest) = (data.first()? >> 4, &data[1..]);
        match kind {
            0 => {
                self.drop_open(pump, way);
                let data = rest.get(..usize::from(data[0] & 0xF))?.to_vec();
                Some(Message { pump, way, data, begin: time, end: time })
            }
            1 => {
                self.drop_open(pump, way);
                let length = usize::from(data[0] & 0xF) << 8 | usize::from(*rest.first()?);
                let partial = Partial { data: rest[1..].to_vec(), length, next: 1, begin: time };
                self.open.insert((pump, way), partial);
                None
            }
            2 => self.continued(time, (pump, way), data[0] & 0xF, rest),
            _ => None,
        }
    }

    fn drop_open(&mut self, pump: u8, way: Way) {
        self.broken_off += u64::from(self.open.remove(&(pump, way)).is_some());
    }

    fn continued(&mut self, time: u64, key: (u8, Way), number: u8, bytes: &[u8]) -> Option<Message> {
        let partial = self.open.get_mut(&key)?;
        if number != partial.next {
            self.drop_open(key.0, key.1);
            return None;
        }
        partial.next = (number + 1) & 0xF;
        partial.data.extend(bytes);
        if partial.data.len() < partial.length {
            return None;
        }
        let Partial { mut data, length, begin, .. } = self.open.remove(&key)?;
        data.truncate(length);
        Some(Message { pump: key.0, way: key.1, data, begin, end: time })
    }
}

/// The name of a service by its request's id, as ISO 14229-1 has it.
#[must_use]
pub fn service_name(service: u8) -> &'static str {
    match service {
        0x10 => "DiagnosticSessionControl",
        0x11 => "ECUReset",
        0x22 => "ReadDataByIdentifier",
        0x27 => "SecurityAccess",
        0x31 => "RoutineControl",
        0x34 => "RequestDownload",
        0x36 => "TransferData",
        0x37 => "RequestTransferExit",
        0x3E => "TesterPresent",
        _ => "other",
    }
}

impl Message {
    /// The service that it is about, by the request's id: a positive response has 0x40 added, a negative one names it.
    #[must_use]
    pub fn service(&self) -> Option<u8> {
        match (self.way, self.data.as_slice()) {
            (Way::Request, [service, ..]) => Some(*service),
            (Way::Response, [0x7F, service, ..]) => Some(*service),
            (Way::Response, [service, ..]) => service.checked_sub(0x40),
            (_, []) => None,
        }
    }

    /// The code of a negative response.
    #[must_use]
    pub fn refusal(&self) -> Option<u8> {
        match (self.way, self.data.as_slice()) {
            (Way::Response, [0x7F, _, code, ..]) => Some(*code),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(listener: &mut Listener, frames: &[(u64, u32, &[u8])]) -> Vec<Message> {
        frames.iter().filter_map(|(time, id, data)| listener.hear(*time, *id, data)).collect()
    }

    #[test]
    fn messages_are_put_together_from_their_frames() {
        let mut listener = Listener::default();
        let heard = hear(
            &mut listener,
            &[
                (1, 0x701, &[0x10, 0x0A, 0x36, 1, 2, 3, 4, 5]),
                (2, 0x781, &[0x30, 8, 0xF5, 0xAA]),
                (3, 0x702, &[0x02, 0x3E, 0x00, 0xAA]),
                (4, 0x701, &[0x21, 6, 7, 8, 9, 0xAA, 0xAA, 0xAA]),
                (5, 0x781, &[0x03, 0x7F, 0x36, 0x78, 0xAA]),
            ],
        );
        let data = [0x36, 1, 2, 3, 4, 5, 6, 7, 8, 9].to_vec();
        assert_eq!(heard[1], Message { pump: 1, way: Way::Request, data, begin: 1, end: 4 });
        assert_eq!((heard[0].pump, heard[0].service(), heard[0].begin), (2, Some(0x3E), 3));
        assert_eq!((heard[2].service(), heard[2].refusal(), heard[2].way), (Some(0x36), Some(0x78), Way::Response));
        assert_eq!((heard.len(), listener.broken_off), (3, 0));
    }

    #[test]
    fn a_missing_frame_breaks_its_message_off() {
        let mut listener = Listener::default();
        let first: &[u8] = &[0x10, 0x10, 0x36, 1, 2, 3, 4, 5];
        let missing = [(1, 0x701, first), (2, 0x701, &[0x22, 1, 2, 3, 4, 5, 6, 7]), (3, 0x701, &[0x21, 1, 2])];
        assert_eq!(hear(&mut listener, &missing), []);
        assert_eq!(listener.broken_off, 1);
        assert_eq!(hear(&mut listener, &[(4, 0x701, first), (5, 0x701, first)]), []);
        assert_eq!(listener.broken_off, 2);
    }

    #[test]
    fn only_the_ids_of_uds_are_heard() {
        let mut listener = Listener::default();
        let frames = [0x000, 0x101, 0x201, 0x700, 0x711, 0x780, 0x791].map(|id| (1, id, &[0x01, 0x3E][..]));
        assert_eq!(hear(&mut listener, &frames), []);
        let frames = [0x701, 0x710, 0x781, 0x790].map(|id| (1, id, &[0x01, 0x3E][..]));
        let heard: Vec<(u8, Way)> = hear(&mut listener, &frames).iter().map(|m| (m.pump, m.way)).collect();
        assert_eq!(heard, [(1, Way::Request), (16, Way::Request), (1, Way::Response), (16, Way::Response)]);
    }
}
