//! What a result of the twin does not show: the limits of the model, and known deviations.
//!
//! The list is printed with every report, so that no figure is read for more than it is. It belongs to the program and
//! not to a run; what a run takes for granted with numbers is among its assumptions.

/// A limit of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is limited, in few words.
    pub subject: &'static str,
    /// What the model does and what it leaves out.
    pub text: &'static str,
    /// What closes the gap.
    pub elsewhere: &'static str,
}

/// The limits of the model.
pub const LIMITS: &[Limit] = &[
    Limit {
        subject: "Worst case",
        text: "A worst case is the worst that these runs met. It is no proof of a bound: other seeds, other fault \
               times and other tolerances may be worse.",
        elsewhere: "campaigns over many seeds, and an analysis of the bound",
    },
    Limit {
        subject: "Target",
        text: "The firmware is compiled for the host. Compiler, code generator and memory of the target are not in \
               the run.",
        elsewhere: "the same stimuli on the target, compared with the records of the twin",
    },
    Limit {
        subject: "Execution time",
        text: "A step of the firmware takes a time that the scenario sets. How long it takes on the target says nothing \
               here.",
        elsewhere: "measurement of the worst execution time on the target",
    },
    Limit {
        subject: "Memory faults",
        text: "Variables of the firmware lie in memory of the host. Faults of cells act only on memory that is read and \
               written through a port, such as the flash of pumps and safety units and the RAM that a safety unit tests.",
        elsewhere: "a check of the linker map, and tests on the target",
    },
    Limit {
        subject: "Bus",
        text: "Frames have their exact length in bits, with stuffing, arbitration, error frames and error counters. \
               Edges, reflections, sampling points and propagation are not modelled; all nodes see a bit at the same \
               instant unless a fault says otherwise.",
        elsewhere: "measurement on the harness with an oscilloscope",
    },
    Limit {
        subject: "Supply",
        text: "A source with one resistance, loads that follow the speed of the pumps, and thresholds with hold-up. \
               Inrush, ripple and the decay of rails are not modelled.",
        elsewhere: "measurement on the hardware",
    },
    Limit {
        subject: "Flash",
        text: "Erase and program times are constants of a class of parts; a cut leaves a torn word or a half-erased \
               sector. Wear, temperature and read disturb are not modelled.",
        elsewhere: "data sheet of the part, and power cuts on the hardware",
    },
    Limit {
        subject: "Clocks",
        text: "A node's clock has an offset and a constant drift. Jitter, start-up and temperature of oscillators are \
               not modelled.",
        elsewhere: "data sheet of the oscillator, and measurement",
    },
    Limit {
        subject: "Safety units: execution",
        text: "The time that a CPU takes for its logic is a cost model: an amount for each block, or what a fault says. Steps \
               of a CPU happen at one instant of its clock; interrupts, caches and pipelines are not modelled.",
        elsewhere: "measurement of the worst execution time on the target",
    },
    Limit {
        subject: "Safety units: link and radio",
        text: "The link between the CPUs and the radio carry whole packets, each with a delay. Faults lose, damage, repeat, \
               swap, delay or forge them; fading, interference, range and collisions on the air are not modelled.",
        elsewhere: "measurement of the radio on the installation, and the residual error rate by calculation",
    },
    Limit {
        subject: "Safety units: pins, transistors and relays",
        text: "A pin has one voltage at an instant. Edges of test pulses, capacitance of cables, and the decay of a load are \
               not modelled. Off is when no transistor conducts and no relay has both coils fed; a contact follows by a \
               constant time, and one that opens later, or never, is off that much later, or never. Welding is a fault that \
               a scenario names.",
        elsewhere: "measurement on the hardware, and data sheets of relays and transistors",
    },
    Limit {
        subject: "Safety units: converters and rails",
        text: "A converter reads the voltage of its model with gain, offset, noise or a stuck value where a fault says so. \
               Accuracy, temperature and the decay of rails are not modelled.",
        elsewhere: "measurement on the hardware",
    },
    Limit {
        subject: "Coolant loop",
        text: "Pumps by the affinity laws against one system curve, one mixed volume and one exchanger. It gives the \
               order of flow and temperature, not their exact values.",
        elsewhere: "measurement on the installation",
    },
];

/// Where the twin or the firmware is known to differ from what one would expect of the product.
pub const DEVIATIONS: &[Limit] = &[
    Limit {
        subject: "Roll-back",
        text: "The pumps hold one image. There is no second one to return to; cause FW005 exists and nothing produces \
               it.",
        elsewhere: "decision of the product",
    },
    Limit {
        subject: "Signatures",
        text: "An image is accepted by model, length and check sum. It is not signed and not encrypted.",
        elsewhere: "decided for a later version",
    },
    Limit {
        subject: "Numbers of our own",
        text: "The bit rate, latencies, boot times, thresholds and flash times are not given by the product's \
               documents. They are settings of the scenario and are listed among the assumptions.",
        elsewhere: "confirmation by the owner of the product",
    },
];
