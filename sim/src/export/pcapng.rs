//! pcapng with SocketCAN frames (link type 227): read by Wireshark and tshark.
//!
//! Written here rather than by a crate: four kinds of block, each a few numbers. Blocks are little endian, the CAN id in
//! a packet is big endian, times count nanoseconds (`if_tsresol` 9). Notes about faults and states are comments of the
//! packet that follows them; those after the last packet stand in the statistics of the interface.

use std::io::{self, Write};

use super::{EPOCH_SECONDS, ErrorFrame, Frame, Seen, Sink, What};
use crate::kernel::SimTime;
use crate::run::recording::Head;

const SECTION: u32 = 0x0A0D_0D0A;
const INTERFACE: u32 = 1;
const STATISTICS: u32 = 5;
const PACKET: u32 = 6;
const LINKTYPE_CAN_SOCKETCAN: u16 = 227;
const CHANNELS: usize = 2;

const OPT_COMMENT: u16 = 1;
const SHB_APPLICATION: u16 = 4;
const IF_NAME: u16 = 2;
const IF_SPEED: u16 = 8;
const IF_TSRESOL: u16 = 9;
const ISB_RECEIVED: u16 = 4;
/// The longest value of an option.
const OPTION_MOST: usize = u16::MAX as usize;

/// Writes pcapng.
pub(super) struct Pcapng<W> {
    to: W,
    bitrate: u64,
    notes: Vec<String>,
    /// By channel, the number of the interface, in the order of first use, and its packets.
    interfaces: [Option<(u32, u64)>; CHANNELS],
}

impl<W: Write + Send> Pcapng<W> {
    pub(super) fn new(mut to: W, head: &Head) -> io::Result<Self> {
        let mut body = Vec::new();
        body.extend(0x1A2B_3C4D_u32.to_le_bytes());
        body.extend([1_u16.to_le_bytes(), 0_u16.to_le_bytes()].concat());
        // The length of the section is not known yet.
        body.extend(u64::MAX.to_le_bytes());
        let about = format!("scenario {} sha256 {}", head.name, head.sha256);
        let options = [(OPT_COMMENT, about.into_bytes()), (SHB_APPLICATION, b"cooltwin".to_vec())];
        block(&mut to, SECTION, body, &options)?;
        let mut pcapng = Self { to, bitrate: u64::from(head.bitrate), notes: Vec::new(), interfaces: [None; CHANNELS] };
        // A run without a single frame has an interface, too.
        pcapng.interface(0)?;
        Ok(pcapng)
    }

    /// The number of the interface of a channel; describes it before its first use.
    fn interface(&mut self, channel: u8) -> io::Result<u32> {
        let place = usize::from(channel).min(CHANNELS - 1);
        if let Some((number, packets)) = &mut self.interfaces[place] {
            *packets += 1;
            return Ok(*number);
        }
        let number = self.interfaces.iter().flatten().count() as u32;
        self.interfaces[place] = Some((number, u64::from(number > 0)));
        let mut body = LINKTYPE_CAN_SOCKETCAN.to_le_bytes().to_vec();
        body.extend([0; 2]);
        // No limit on the length of packets.
        body.extend(0_u32.to_le_bytes());
        let options = [
            (IF_NAME, format!("can{channel}").into_bytes()),
            (IF_SPEED, self.bitrate.to_le_bytes().to_vec()),
            (IF_TSRESOL, vec![9]),
        ];
        block(&mut self.to, INTERFACE, body, &options)?;
        Ok(number)
    }

    fn packet(&mut self, seen: &Seen<'_>, id: u32, data: &[u8]) -> io::Result<()> {
        let interface = self.interface(seen.channel)?;
        let mut packet = id.to_be_bytes().to_vec();
        packet.extend([data.len() as u8, 0, 0, 0]);
        packet.extend(data);
        let length = packet.len() as u32;
        let mut body = interface.to_le_bytes().to_vec();
        body.extend(time(seen.time));
        body.extend([length.to_le_bytes(), length.to_le_bytes()].concat());
        body.extend(packet);
        let notes = self.take_notes();
        block(&mut self.to, PACKET, body, &notes)
    }

    fn take_notes(&mut self) -> Vec<(u16, Vec<u8>)> {
        let notes = std::mem::take(&mut self.notes).into_iter();
        notes.map(|note| (OPT_COMMENT, note.into_bytes())).collect()
    }
}

/// A time stamp: the upper half first, each half little endian.
fn time(nanos: u64) -> [u8; 8] {
    let nanos = EPOCH_SECONDS * 1_000_000_000 + nanos;
    let [a, b, c, d, e, f, g, h] = nanos.to_le_bytes();
    [e, f, g, h, a, b, c, d]
}

/// Writes a block: its body and its options, each filled up to 32 bits.
fn block(to: &mut impl Write, kind: u32, mut body: Vec<u8>, options: &[(u16, Vec<u8>)]) -> io::Result<()> {
    fill(&mut body);
    for (code, value) in options {
        let value = &value[..value.len().min(OPTION_MOST)];
        body.extend([code.to_le_bytes(), (value.len() as u16).to_le_bytes()].concat());
        body.extend(value);
        fill(&mut body);
    }
    if !options.is_empty() {
        body.extend([0; 4]);
    }
    let length = (body.len() as u32 + 12).to_le_bytes();
    to.write_all(&kind.to_le_bytes())?;
    to.write_all(&length)?;
    to.write_all(&body)?;
    to.write_all(&length)
}

fn fill(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

/// The identifier with the flag of 29 bits.
fn id_of(frame: &Frame) -> u32 {
    frame.id | if frame.extended { 0x8000_0000 } else { 0 }
}

impl<W: Write + Send> Sink for Pcapng<W> {
    fn take(&mut self, seen: &Seen<'_>) -> io::Result<()> {
        match &seen.what {
            What::Frame(frame) => self.packet(seen, id_of(frame), &frame.data),
            What::Error(error) => {
                let ErrorFrame { bit, kind, .. } = error;
                self.notes.push(format!("{kind} error of {} detected at bit {bit}", seen.line.node));
                self.packet(seen, error.socketcan_id(), &error.socketcan_data())
            }
            What::Levels { .. } => Ok(()),
            What::Other => {
                self.notes.extend(seen.note());
                Ok(())
            }
        }
    }

    fn finish(&mut self, end: SimTime) -> io::Result<()> {
        for (number, packets) in self.interfaces.into_iter().flatten() {
            let mut body = number.to_le_bytes().to_vec();
            body.extend(time(end.as_nanos()));
            let mut options = self.take_notes();
            options.push((ISB_RECEIVED, packets.to_le_bytes().to_vec()));
            block(&mut self.to, STATISTICS, body, &options)?;
        }
        self.to.flush()
    }
}
