//! The whole CPU against its requirements, one file per part; requirement ids stand in the doc of each test.

mod link;
mod packets;
mod start_up;
mod supply;
