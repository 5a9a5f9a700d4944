//! `schema`: the JSON Schema of a document.

use crate::cli::Schema;
use crate::exit::{self, Failure};
use crate::{out, schema};

/// Prints it.
pub(crate) fn run(args: &Schema) -> Result<u8, Failure> {
    let schema = schema::schema(args.document).map_err(Failure::internal)?;
    out::print_json(&schema).map_err(Failure::io)?;
    Ok(exit::DONE)
}
