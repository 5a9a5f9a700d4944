//! ADaM views of responses and times to event: ADRS, ADTR and ADTTE, in the words and codes that admiralonco reads.
//!
//! Source: CDISC ADaM-IG 1.3; parameter codes and the numeric coding of responses as in pharmaverse admiralonco. A date
//! that is not complete stays empty, never imputed.

mod adrs;
mod adtr;
mod adtte;
pub mod best;
mod parameters;

pub use adrs::{AdrsRow, adrs_rows, death_row, number};
pub use adtr::{AdtrRow, adtr_rows};
pub use adtte::{AdtteRow, DayCount, Source, adtte_rows};
