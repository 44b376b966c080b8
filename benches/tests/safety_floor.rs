//! The floor of the safety bench does the work that the twin's units do.
//!
//! A floor whose outputs stay off would be cheaper than what it stands for.

use benches::nominal::with_units;
use benches::safety::Floor;
use cooltwin::hosts::safety::Units;
use cooltwin::hosts::safety::unit::Unit;
use cooltwin::kernel::{SimTime, Span};
use cooltwin::twin;

/// From the button at 2 s on both relays of the hall are fed by both CPUs, while the roof's pulsed inputs, its memory and its bit keep them
/// so; as in the twin, at each of these instants.
#[test]
fn the_floors_units_feed_the_pumps_as_the_twins_do() {
    let scenario = with_units("24KiB");
    let (mut floor, mut twin) = (Floor::new(&scenario), twin::build(&scenario, None));
    let mut at = 0;
    for (ms, wanted) in [(1_900, 0), (2_400, 0b01), (3_000, 0b11), (8_000, 0b11)] {
        floor.run(ms - at);
        at = ms;
        assert_eq!(floor.relays(0), [wanted; 2], "floor at {ms} ms");
        let _ = twin.run_until(SimTime::ZERO + Span::from_millis(ms.into()));
        let hall = twin.world.resource::<Units>().entities()[0];
        let hall = twin.world.get::<Unit>(hall).expect("it is there");
        let closed = (0..2).fold(0u8, |bits, relay| bits | u8::from(hall.conducts(relay)) << relay);
        assert_eq!(closed, wanted, "twin at {ms} ms");
    }
}
