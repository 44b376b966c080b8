//! The update requirements, and what in this program verifies each.
//!
//! Titles are short restatements. A requirement that the source document rules out, or that one run cannot show, is
//! listed too, so that nothing falls silently out of the list.

/// What verifies a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// A check of every run.
    Check(&'static str),
    /// A budget of every run.
    Budget(&'static str),
    /// A shipped scenario with its expectations.
    Scenario(&'static str),
    /// A test of this crate.
    Test(&'static str),
    /// By the way the firmware is built; says how.
    Construction(&'static str),
    /// A claim that needs many runs; says why.
    Campaign(&'static str),
    /// Not in simulation; says where.
    Elsewhere(&'static str),
    /// Decided for a later version.
    Later,
    /// Ruled out in the source document.
    Out,
    /// No claim is made.
    NotClaimed,
}

/// Id, title, and what verifies it.
pub type Requirement = (&'static str, &'static str, Verification);

/// Every requirement of the update document.
pub const REQUIREMENTS: &[Requirement] = &[
    ("PFU-001", "Local update", Verification::Scenario("no-pump-firmware")),
    ("PFU-002", "Fail-safe update", Verification::Check("only_whole_images_are_started")),
    ("PFU-003", "Live status", Verification::Check("status_is_live")),
    ("PFU-004", "AROS pumps", Verification::Test("one_image_updates_every_model")),
    ("PFU-005", "Matchgrade", Verification::Check("equal_version_is_left_alone")),
    ("PFU-006", "Remote update", Verification::Out),
    ("PFU-007", "CIOC update path", Verification::Check("every_boot_searches")),
    ("PFU-008", "CIOC to pump over CAN", Verification::Check("told_versions_are_true")),
    (
        "PFU-009",
        "CAN only",
        Verification::Construction("the bus is the only link between CIOC and pumps in the firmware interface"),
    ),
    ("PFU-010", "OTA", Verification::Out),
    ("PFU-011", "NFC", Verification::Out),
    ("PFU-012", "CIOC outage", Verification::Check("silence_means_fail_safe")),
    ("PFU-013", "Search at boot", Verification::Check("every_boot_searches")),
    ("PFU-014", "Search on demand", Verification::Scenario("manual-search")),
    ("PFU-015", "Integrity before install", Verification::Check("no_write_with_a_bad_image")),
    ("PFU-016", "Model check", Verification::Check("no_write_with_a_bad_image")),
    ("PFU-017", "Safe state first", Verification::Check("motor_stands_before_flash_is_written")),
    ("PFU-018", "Notify pause", Verification::Check("pause_is_told_first")),
    ("PFU-019", "Consent dialog", Verification::Check("no_write_without_consent")),
    ("PFU-020", "Write flash", Verification::Check("told_versions_are_true")),
    ("PFU-021", "Atomic update", Verification::Check("only_whole_images_are_started")),
    ("PFU-022", "Three tries", Verification::Check("at_most_three_tries")),
    ("PFU-023", "Self-check", Verification::Out),
    ("PFU-024", "Reboot and status", Verification::Check("pump_restarts_before_success")),
    ("PFU-025", "Roll-back", Verification::Out),
    ("PFU-026", "Dead pump", Verification::Check("dead_pumps_stay_dead_and_are_named")),
    ("PFU-027", "Log", Verification::Check("log_tells_each_try")),
    ("PFU-028", "Failure log", Verification::Check("log_tells_each_try")),
    ("PFU-029", "Alarm after 3", Verification::Check("dead_pumps_stay_dead_and_are_named")),
    ("PFU-030", "Others to automatic", Verification::Budget("back-to-automatic")),
    ("PFU-031", "Web progress", Verification::Check("progress_is_true")),
    ("PFU-032", "E-mail", Verification::Later),
    ("PFU-033", "History", Verification::Check("log_tells_each_try")),
    ("PFU-034", "IEC 62443-4-2", Verification::NotClaimed),
    ("PFU-035", "Signed packages", Verification::Later),
    ("PFU-036", "Admin rights", Verification::Out),
    ("PFU-037", "Encryption", Verification::NotClaimed),
    ("PFU-038", "Pump models (2.5)", Verification::Out),
    ("PFU-039", "Remote protocols", Verification::Out),
    ("PFU-040", "SCADA/BMS API", Verification::Out),
    ("PFU-041", "Update time", Verification::Budget("pump-update")),
    ("PFU-042", "Downtime after", Verification::Budget("back-to-automatic")),
    ("PFU-043", "Total duration", Verification::Budget("campaign")),
    (
        "PFU-044",
        "99.9 % success",
        Verification::Campaign("a success rate needs thousands of runs; one run makes no claim"),
    ),
    ("PFU-045", "Roll-back for 99.9 %", Verification::Out),
    ("PFU-046", "One at a time", Verification::Check("one_pump_at_a_time")),
    ("PFU-047", "Others at 80 %", Verification::Check("others_run_at_80_percent")),
    ("PFU-048", "RBAC", Verification::Out),
    ("PFU-049", "FW001", Verification::Scenario("missing-image")),
    ("PFU-050", "FW002", Verification::Scenario("corrupt-image")),
    ("PFU-051", "FW003", Verification::Scenario("sag-of-one-pump")),
    ("PFU-052", "FW004", Verification::Scenario("pump-hang")),
    ("PFU-053", "FW005", Verification::Construction("cause FW005 exists and nothing produces it")),
    ("PFU-054", "Upload button", Verification::Out),
    ("PFU-055", "Check button", Verification::Out),
    ("PFU-056", "Progress bar (tab)", Verification::Check("progress_is_true")),
    ("PFU-057", "Version log (tab)", Verification::Out),
    ("PFU-058", "Push messages", Verification::Out),
    (
        "PFU-059",
        "Functional tests",
        Verification::Campaign("single power cuts are scenarios; every step needs a sweep"),
    ),
    ("PFU-060", "Security tests", Verification::Out),
    (
        "PFU-061",
        "Speed test Ethernet",
        Verification::Elsewhere("the transport of the CIOC package over Ethernet is measured on hardware"),
    ),
    ("PFU-062", "Speed test other nets", Verification::Out),
    ("PFU-063", "Semantic versions", Verification::Construction("the version type of the image header; its tests")),
    ("PFU-064", "Release notes", Verification::Elsewhere("release documents are reviewed, not simulated")),
    ("PFU-065", "Remote support", Verification::Out),
];

#[cfg(test)]
mod tests {
    use super::super::IDS;
    use super::*;

    fn ids() -> Vec<&'static str> {
        REQUIREMENTS.iter().map(|requirement| requirement.0).collect()
    }

    #[test]
    fn the_list_has_every_requirement_once_and_in_order() {
        let wanted: Vec<String> = (1..=65).map(|number| format!("PFU-{number:03}")).collect();
        assert_eq!(ids(), wanted);
    }

    /// What the evidence asks a figure of: what is verified by a budget here, and what the usual budgets carry.
    #[test]
    fn requirements_that_must_be_measured_are_those_of_the_budgets() {
        let by_budget = |requirement: &&Requirement| matches!(requirement.2, Verification::Budget(_));
        let ids: Vec<&str> = REQUIREMENTS.iter().filter(by_budget).map(|requirement| requirement.0).collect();
        assert_eq!(ids, reports::MEASURED);
        let usual = crate::scenario::RawScenario::default().budgets;
        let mut carried: Vec<&String> = usual.iter().flat_map(|budget| &budget.requirements).collect();
        carried.sort();
        assert_eq!(carried, reports::MEASURED);
    }

    #[test]
    fn every_check_names_known_requirements_and_every_named_check_exists() {
        for (check, requirements) in IDS {
            for requirement in *requirements {
                assert!(ids().contains(requirement), "{check} names {requirement}");
            }
        }
        for (id, _, verification) in REQUIREMENTS {
            if let Verification::Check(check) = verification {
                let named = IDS.iter().find(|(known, _)| known == check);
                let named = named.unwrap_or_else(|| panic!("{id} names the unknown check {check}"));
                assert!(named.1.contains(id) || *id == "PFU-056", "{check} does not name {id}");
            }
        }
    }
}
