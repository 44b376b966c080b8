//! Cyclic messages from arbitrary frames and arbitrary values.
//!
//! What is understood means exactly the bytes it came from, and no value can be encoded that the decoder refuses.

use embedded_can::StandardId;
use protocol::Frame;
use protocol::cyclic::{Command, Mode, PumpFaults, PumpState, Status};
use protocol::ids::PumpNumber;
use units::{DeciCelsius, Milliamps, Millivolts, Permille};

/// Two bytes of id and one of pump number, then the data of a frame, which also serve as raw values.
pub(crate) fn run(data: &[u8]) {
    let Some((&[high, low, number], rest)) = data.split_first_chunk::<3>() else { return };
    let Some(pump) = PumpNumber::new(number % 16 + 1) else { return };
    let Some(id) = StandardId::new(u16::from_be_bytes([high & 7, low])) else { return };
    if let Some(frame) = Frame::data_frame(id, rest) {
        decode(pump, &frame);
    }
    let mut values = [0; 12];
    for (to, from) in values.iter_mut().zip(rest) {
        *to = *from;
    }
    encode(pump, values);
}

fn decode(pump: PumpNumber, frame: &Frame) {
    if let Some(command) = Command::decode(pump, frame) {
        assert_eq!(command.encode(pump), *frame);
    }
    if let Some(status) = Status::decode(pump, frame) {
        assert_eq!(status.encode(pump), *frame);
    }
}

fn encode(pump: PumpNumber, [a, b, c, d, e, f, g, h, i, j, k, l]: [u8; 12]) {
    let mode = [Mode::Standby, Mode::Automatic, Mode::Fixed][usize::from(a) % 3];
    let command = Command { mode, set_point: Permille::new(u16::from_be_bytes([b, c])), counter: d };
    let heard = Command::decode(pump, &command.encode(pump)).expect("our own command is understood");
    assert_eq!((heard.mode, heard.counter), (mode, d & 0x0F));
    assert!(heard.set_point <= command.set_point);
    let status = Status {
        state: [PumpState::Standby, PumpState::FailSafe, PumpState::Bootloader, PumpState::Updating]
            [usize::from(a) % 4],
        counter: d,
        speed: Permille::new(u16::from_be_bytes([b, c])),
        supply: Millivolts::new(u16::from_be_bytes([e, f])),
        current: Milliamps::new(u16::from_be_bytes([g, h])),
        temperature: DeciCelsius::new(i16::from_be_bytes([i, j])),
        faults: PumpFaults(k ^ l),
    };
    let heard = Status::decode(pump, &status.encode(pump)).expect("our own status is understood");
    assert_eq!(
        (heard.state, heard.counter, heard.supply, heard.faults),
        (status.state, d & 0x0F, status.supply, status.faults)
    );
    assert!(heard.speed <= status.speed && heard.current <= status.current);
}
