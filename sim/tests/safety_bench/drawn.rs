//! Random valid diagrams and random inputs, drawn from a tape of numbers.
//!
//! A tape of zeros, or its end, makes the simplest choice each time, so that shrinking a tape shrinks what was drawn.

use std::fmt::Write;

use safety_common::signal::Signal;

use crate::safety_bench::{Outside, SERIALS};

/// A source of choices.
#[derive(Clone, Debug)]
pub(crate) struct Tape<'a> {
    numbers: &'a [u16],
}

impl<'a> Tape<'a> {
    pub(crate) fn new(numbers: &'a [u16]) -> Self {
        Self { numbers }
    }

    /// A number below `count`.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let (first, rest) = self.numbers.split_first().unwrap_or((&0, &[]));
        self.numbers = rest;
        usize::from(*first) % count.max(1)
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// A pin of an input group and its two signals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InputPin {
    pub(crate) pin: usize,
    pub(crate) on: Signal,
    pub(crate) off: Signal,
}

/// The groups of one unit, as far as a test that plays its inputs must know them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wiring {
    pub(crate) inputs: Vec<Vec<InputPin>>,
    /// Pins of each output group with their ON signals.
    pub(crate) outputs: Vec<Vec<(usize, Signal)>>,
}

const PULSED: [Signal; 4] = [Signal::A, Signal::B, Signal::C, Signal::D];
const INVERSE: [Signal; 4] = [Signal::InverseA, Signal::InverseB, Signal::InverseC, Signal::InverseD];

/// Two signals that an input may have.
fn input_signals(tape: &mut Tape<'_>) -> (Signal, Signal) {
    let pulsed = tape.one_of(&PULSED);
    let inverse = tape.one_of(&INVERSE);
    tape.one_of(&[
        (Signal::High, Signal::Low),
        (Signal::Ossd, Signal::Low),
        (pulsed, Signal::Low),
        (pulsed, Signal::High),
        (Signal::Ossd, inverse),
        (inverse, Signal::Low),
        (pulsed, inverse),
        (Signal::High, pulsed),
    ])
}

fn output_signals(tape: &mut Tape<'_>) -> (Signal, Signal) {
    let pulsed = tape.one_of(&PULSED);
    let inverse = tape.one_of(&INVERSE);
    tape.one_of(&[
        (Signal::High, Signal::Low),
        (Signal::Ossd, Signal::Low),
        (pulsed, Signal::Low),
        (Signal::High, inverse),
    ])
}

/// Pins and groups of one unit, as text.
struct Sides {
    pins: String,
    inputs: String,
    outputs: String,
    wiring: Wiring,
    next: usize,
}

impl Sides {
    fn draw(tape: &mut Tape<'_>) -> Self {
        let (pins, inputs, outputs) = Default::default();
        let mut sides = Self { pins, inputs, outputs, wiring: Wiring::default(), next: 0 };
        sides.input(1, tape);
        sides.output(1, tape);
        for _ in 0..tape.below(6) {
            let size = tape.one_of(&[1, 1, 2, 3, 8]);
            match tape.below(3) {
                0 => sides.input(size, tape),
                1 => sides.output(size, tape),
                _ => sides.combined(),
            }
        }
        sides
    }

    fn take(&mut self, size: usize) -> Option<std::ops::Range<usize>> {
        let pins = self.next..self.next + size;
        (pins.end <= 14).then(|| {
            self.next = pins.end;
            pins
        })
    }

    fn group(pins: &[usize]) -> String {
        match pins {
            [pin] => format!("Single(\"p{pin}\")"),
            pins => format!("Redundant({:?})", pins.iter().map(|pin| format!("p{pin}")).collect::<Vec<_>>()),
        }
    }

    fn input(&mut self, size: usize, tape: &mut Tape<'_>) {
        let Some(pins) = self.take(size) else { return };
        let mut group = Vec::new();
        for pin in pins.clone() {
            let (mut on, mut off) = input_signals(tape);
            if size > 1 && pin > pins.start && tape.below(4) == 3 {
                (on, off) = (Signal::Low, Signal::High);
            }
            write!(self.pins, "(pin: {pin}, name: \"p{pin}\", role: Input, on: {on:?}, off: {off:?}),")
                .expect("a text");
            group.push(InputPin { pin, on, off });
        }
        let names = Self::group(&pins.collect::<Vec<_>>());
        let discrepancy = if size > 1 { format!(", discrepancy: \"{}ms\"", 1 + tape.below(60)) } else { String::new() };
        let (filter, test) = (tape.one_of(&[0, 0, 1, 20]), tape.below(4) == 3);
        let number = self.wiring.inputs.len();
        write!(
            self.inputs,
            "(name: \"i{number}\", pins: {names}{discrepancy}, on_filter: \"{filter}ms\", start_up_test: {test}),"
        )
        .expect("a text");
        self.wiring.inputs.push(group);
    }

    fn output(&mut self, size: usize, tape: &mut Tape<'_>) {
        let Some(pins) = self.take(size) else { return };
        let mut group = Vec::new();
        for pin in pins.clone() {
            let (on, off) = output_signals(tape);
            write!(self.pins, "(pin: {pin}, name: \"p{pin}\", role: Output, on: {on:?}, off: {off:?}),")
                .expect("a text");
            group.push((pin, on));
        }
        let names = Self::group(&pins.collect::<Vec<_>>());
        write!(self.outputs, "(name: \"o{}\", pins: {names}),", self.wiring.outputs.len()).expect("a text");
        self.wiring.outputs.push(group);
    }

    fn combined(&mut self) {
        let Some(pins) = self.take(1) else { return };
        let pin = pins.start;
        write!(self.pins, "(pin: {pin}, name: \"p{pin}\", role: Combined),").expect("a text");
        write!(self.inputs, "(name: \"i{}\", pins: Single(\"p{pin}\")),", self.wiring.inputs.len()).expect("a text");
        write!(self.outputs, "(name: \"o{}\", pins: Single(\"p{pin}\")),", self.wiring.outputs.len()).expect("a text");
        self.wiring.inputs.push(vec![InputPin { pin, on: Signal::High, off: Signal::Low }]);
        self.wiring.outputs.push(vec![(pin, Signal::High)]);
    }
}

/// Memories and bits that each unit sends.
const SENT: usize = 4;

/// The blocks of one unit: sources, logic, sinks. The other unit's name is `other`.
fn blocks(wiring: &Wiring, other: &str, tape: &mut Tape<'_>) -> String {
    let mut text = String::new();
    let mut signals = Vec::new();
    let mut add = |kind: String, signals: &mut Vec<String>| {
        let name = format!("b{}", signals.len());
        write!(text, "(name: \"{name}\", kind: {kind}),").expect("a text");
        signals.push(name);
    };
    for input in 0..wiring.inputs.len() {
        add(format!("Input(\"i{input}\")"), &mut signals);
    }
    // Half of the diagrams hear nobody: there both CPUs must want the same in every tick.
    let hears = tape.below(2) == 1;
    for _ in 0..tape.below(8) {
        let kind = match if hears { tape.below(4) } else { 2 + tape.below(2) } {
            0 => format!("MemoryReceive(node: \"{other}\", memory: \"m{}\")", tape.below(SENT)),
            1 => format!("CanReceive(node: \"{other}\", bit: \"c{}\")", tape.below(SENT)),
            2 => format!("InputError(\"i{}\")", tape.below(wiring.inputs.len())),
            _ => format!("OutputError(\"o{}\")", tape.below(wiring.outputs.len())),
        };
        add(kind, &mut signals);
    }
    for _ in 0..tape.below(40) {
        let kind = logic(&signals, tape);
        add(kind, &mut signals);
    }
    let source = |tape: &mut Tape<'_>| signals[signals.len() - 1 - tape.below(signals.len())].clone();
    for output in 0..wiring.outputs.len() {
        if tape.below(8) < 7 {
            write!(text, "(name: \"s{output}\", kind: Output(group: \"o{output}\", of: \"{}\")),", source(tape))
                .expect("a text");
        }
    }
    for relay in 0..2 {
        write!(text, "(name: \"r{relay}\", kind: Relay(relay: {relay}, of: \"{}\")),", source(tape)).expect("a text");
    }
    for sent in 0..SENT {
        let memory = sent * 10;
        write!(text, "(name: \"m{sent}\", kind: MemorySend(memory: {memory}, of: \"{}\")),", source(tape))
            .expect("a text");
        let (entry, bit) = (sent % 2, sent * 5);
        let entry = if other == "b" { entry } else { entry + 2 };
        write!(text, "(name: \"c{sent}\", kind: CanSend(entry: {entry}, bit: {bit}, of: \"{}\")),", source(tape))
            .expect("a text");
    }
    text
}

/// A block that takes earlier signals or constants.
fn logic(signals: &[String], tape: &mut Tape<'_>) -> String {
    let source = |tape: &mut Tape<'_>| match tape.below(signals.len() + 2) {
        at if at < signals.len() => signals[signals.len() - 1 - at].clone(),
        at if at == signals.len() => "ON".to_owned(),
        _ => "OFF".to_owned(),
    };
    let several = |tape: &mut Tape<'_>| (0..2 + tape.below(3)).map(|_| source(tape)).collect::<Vec<String>>();
    match tape.below(10) {
        0 => format!("Not({:?})", several(tape)[0]),
        1 => format!("And({:?})", several(tape)),
        2 => format!("Or({:?})", several(tape)),
        3 => format!("Xor({:?})", several(tape)),
        4 => {
            let of = several(tape);
            format!("Latch(set: {:?}, reset: {:?})", of[0], of[1])
        }
        5 => {
            let of = several(tape);
            format!("Reset(condition: {:?}, button: {:?})", of[0], of[1])
        }
        6 => {
            let of = several(tape);
            format!("Mode(of: {of:?}, position: {})", tape.below(of.len()))
        }
        timer => {
            let kind = ["OnDelay", "OffDelay", "Pulse"][timer - 7];
            format!("{kind}(of: {:?}, time: \"{}ms\")", several(tape)[0], 1 + tape.below(200))
        }
    }
}

/// A network of two units that hear each other over radio and CAN.
pub(crate) fn network(tape: &mut Tape<'_>) -> (String, [Wiring; 2]) {
    let sides = [Sides::draw(tape), Sides::draw(tape)];
    let mut nodes = String::new();
    for (at, (name, other)) in [("a", "b"), ("b", "a")].into_iter().enumerate() {
        let Sides { pins, inputs, outputs, wiring, .. } = &sides[at];
        let blocks = blocks(wiring, other, tape);
        let (serial, first) = (SERIALS[at], 2 * at);
        writeln!(
            nodes,
            "(name: \"{name}\", serial: {serial}, radio: true, memories: 48, can: (index: {at}, entries: [{first}, {}]), \
             supply: (minimum: \"18V\", maximum: \"30V\"), pins: [{pins}], inputs: [{inputs}], outputs: [{outputs}], \
             blocks: [{blocks}]),",
            first + 1
        )
        .expect("a text");
    }
    let text = format!(
        "(network: 9, password: \"p\", response_time: \"500ms\", radio: (timeout: \"60ms\", period: \"10ms\"), nodes: [\n{nodes}])"
    );
    let [one, two] = sides.map(|sides| sides.wiring);
    (text, [one, two])
}

/// A change of one group's inputs, and how long it holds.
pub(crate) fn change(wiring: &Wiring, tape: &mut Tape<'_>) -> (Vec<(usize, Outside)>, u32) {
    let group = &wiring.inputs[tape.below(wiring.inputs.len())];
    let whole = tape.below(5);
    let odd_one = tape.below(group.len());
    let early = tape.below(8) as u32;
    let shows = |place: usize, input: &InputPin| {
        let signal = match whole {
            0 => input.on,
            1 => input.off,
            2 if place == odd_one => input.off,
            2 => input.on,
            3 if place == odd_one => return Outside::Floats,
            _ => input.on,
        };
        Outside::Shows(signal, early)
    };
    let pins = group.iter().enumerate().map(|(place, input)| (input.pin, shows(place, input))).collect();
    (pins, tape.one_of(&[60, 1, 3, 10, 25, 50, 51, 90, 130]))
}
