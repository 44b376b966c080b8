//! How long a stop takes from an input of one unit to the outputs of another, at the worst moment and with the worst loss.
//!
//! The response time that a configuration must ask for (SSR-016) covers the whole path. Here two real units run with ideal
//! wiring and a network without delays of its own; the stop comes in every phase, and from every tick after it on everything on
//! radio and CAN is lost.

#[path = "safety_bench/mod.rs"]
mod safety_bench;
#[path = "safety_bench/texts.rs"]
mod texts;

use safety_bench::{Net, Outside, SERIALS, Unit};
use safety_common::io::Mode;
use safety_common::signal::Signal;
use texts::compiled;

/// Unit `b` closes an output while an input of unit `a` is ON, over radio or CAN; `a` owns `entries` CAN entries.
fn network(over: &str, signal: &str, entries: &[u8], response: u64) -> String {
    let receive = match over {
        "radio" => "MemoryReceive(node: \"a\", memory: \"m\")",
        _ => "CanReceive(node: \"a\", bit: \"c\")",
    };
    format!(
        "(network: 3, password: \"p\", response_time: \"{response}ms\", radio: (timeout: \"40ms\", period: \"10ms\"), nodes: [
         (name: \"a\", serial: {}, radio: true, memories: 16, can: (index: 0, entries: {entries:?}),
          supply: (minimum: \"18V\", maximum: \"30V\"), pins: [(pin: 0, name: \"p\", role: Input, on: {signal}, off: Low)],
          inputs: [(name: \"i\", pins: Single(\"p\"))], blocks: [(name: \"x\", kind: Input(\"i\")),
          (name: \"m\", kind: MemorySend(memory: 0, of: \"x\")), (name: \"c\", kind: CanSend(entry: {}, bit: 0, of: \"x\"))]),
         (name: \"b\", serial: {}, radio: true, can: (index: 1, entries: [13]), supply: (minimum: \"18V\", maximum: \"30V\"),
          pins: [(pin: 0, name: \"p\", role: Output)], outputs: [(name: \"o\", pins: Single(\"p\"))],
          blocks: [(name: \"y\", kind: {receive}), (name: \"s\", kind: Output(group: \"o\", of: \"y\"))])])",
        SERIALS[0], entries[entries.len() - 1], SERIALS[1]
    )
}

/// The most ticks from the stop until nothing of unit `b` is on.
fn slowest(bytes: &[u8], signal: Signal) -> u64 {
    let mut net = Net(SERIALS.iter().map(|serial| Unit::new(*serial, bytes)).collect());
    net.0[0].outside[0] = Outside::Shows(signal, 0);
    (0..200).for_each(|_| net.step());
    assert!(net.0.iter().all(|unit| unit.modes() == [Mode::Normal; 2]));
    assert!(net.0[1].anything_on());
    let mut slowest = 0;
    // The phases of a period of the radio, a cycle of CAN, a turn of 13 entries and 8 ticks of a sequence; and after the stop a
    // full turn of frames and packets before the loss.
    for _phase in 0..40 {
        net.step();
        for heard_for in (0..24).step_by(2) {
            let mut net = net.clone();
            net.0[0].outside[0] = Outside::Shows(Signal::Low, 0);
            let ticks = (1..300).find(|tick| {
                net.step();
                if *tick > heard_for {
                    net.0[1].air.clear();
                    net.0[1].bus.clear();
                }
                !net.0[1].anything_on()
            });
            slowest = slowest.max(ticks.expect("the stop arrives"));
        }
    }
    slowest
}

/// Verifies SSR-016. The least response time that is accepted holds, and nobody waits for nothing: it is 16 ms longer at most.
#[test]
fn a_stop_travels_within_the_least_response_time() {
    for over in ["radio", "can"] {
        for (name, signal) in [("High", Signal::High), ("A", Signal::A)] {
            for entries in [vec![0_u8], (0..13).collect()] {
                let compiled = compiled(&network(over, name, &entries, 500));
                let least = compiled.responses().map(|response| response.least_ms()).max().expect("two units");
                let slowest = slowest(&compiled.bytes, signal);
                let path = format!("{name} over {over}, {} entries: {slowest} of {least} ms", entries.len());
                assert!(slowest < least && least <= slowest + 16, "{path}");
            }
        }
    }
}
