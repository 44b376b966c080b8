//! Campaigns: many random trials of one story, what they show, and the smallest scenario that still fails.

pub mod statistics;
