//! A reader's decisions on what the program found: role and kind of a lesion, no lesion at all, links between visits, calipers, calls
//! and visits that are not evaluable. A read is bound to what it was made from, and is refused where that is not what is there now.
//!
//! Source: CDISC TU/TR/RS (several evaluators, acceptance and adjudication, `--EVALID`, `--ACPTFL`); Eisenhauer et al. 2009 (RECIST
//! 1.1) for what a reader decides; criteria conventions §1 (a reader overrides, and it is said).

mod apply;
mod caliper;
mod check;
mod coded;
mod decision;
mod links;
mod row;
mod settle;
mod state;
mod strict_json;

pub use apply::{Applied, Followed, ReaderAxes, Reviewed, apply};
pub use caliper::outlined;
pub use check::{Read, check};
pub use coded::Coded;
pub use decision::{Axis, Decision};
pub use row::{Outcome, ReadRow, ReadsFile, SCHEMA_VERSION};
pub use state::{Box2, ReadState, ReadableLesion, ReadableSight, part_name};

#[cfg(test)]
mod caliper_tests;
#[cfg(test)]
mod tests;
