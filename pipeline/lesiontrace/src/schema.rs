//! JSON Schemas (draft 2020-12) of the files a user writes and of the documents a run leaves, made from the types that read them.
//! Descriptions come from where these are documented: the comments of the built-in study file, and the rows of the data dictionary.

use imaging::Note;
use oncology::criteria::CriterionTable;
use oncology::criteria::table::CriterionFile;
use oncology::endpoint::Preset;
use oncology::endpoint::preset::PresetFile;
use serde_json::{Map, Value, json};

use crate::patient::CohortPatient;
use crate::run::Manifest;
use crate::source_record::SourceRecord;
use crate::{config, datapackage, ledger};
use trace::{Shape, Traced, trace};

mod comments;
mod examples;
mod trace;

/// What there is a schema of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Document {
    /// A study file (TOML).
    Study,
    /// patients/ID/result.json.
    Result,
    /// reads.json: what readers decided.
    Reads,
    /// patients/ID/sources.json.
    Sources,
    /// patients/ID/status.json.
    Status,
    /// notes.json, of a patient or of what belongs to nobody.
    Notes,
    /// manifest.json: with what a call of run was made.
    Manifest,
    /// A response criterion that compares diameters (TOML).
    Criterion,
    /// A preset of endpoints (TOML).
    Preset,
}

impl Document {
    fn title(self) -> &'static str {
        match self {
            Self::Study => "A study file of lesiontrace",
            Self::Result => "Everything lesiontrace found of a patient",
            Self::Reads => "Readers' decisions on what lesiontrace found",
            Self::Sources => "What the outlines of a patient were drawn on",
            Self::Status => "How a patient of a run ended",
            Self::Notes => "What lesiontrace met and what to do about it",
            Self::Manifest => "With what a call of lesiontrace run was made",
            Self::Criterion => "A response criterion",
            Self::Preset => "A preset of endpoints",
        }
    }

    fn traced(self) -> Option<Traced> {
        match self {
            Self::Study => trace::<config::Study>(),
            Self::Result => trace::<CohortPatient>(),
            Self::Reads => trace::<oncology::reads::ReadsFile>(),
            Self::Sources => trace::<SourceRecord>(),
            Self::Status => trace::<ledger::Entry>(),
            Self::Notes => trace::<Vec<Note>>(),
            Self::Manifest => trace::<Manifest>(),
            Self::Criterion => trace::<CriterionFile>(),
            Self::Preset => trace::<PresetFile>(),
        }
    }
}

/// The schema of a document.
///
/// # Errors
/// A type takes none of the texts it is tried with: a fault of the program, which a test finds.
pub(crate) fn schema(document: Document) -> anyhow::Result<Value> {
    let traced = document.traced().ok_or_else(|| anyhow::anyhow!("{document:?}: the type could not be asked"))?;
    let Value::Object(mut own) = schema_of(&traced, "") else { anyhow::bail!("{document:?} is no object") };
    match document {
        Document::Study => comments::describe(&mut own, config::DEFAULT)?,
        Document::Result => describe_rows(&mut own)?,
        Document::Reads => describe_table(&mut own, "reads", "reads")?,
        Document::Criterion => {
            let table = CriterionTable::built_in("recist_1_1")?;
            examples::describe(&mut own, &table.id, table.text())?;
        }
        Document::Preset => examples::describe(&mut own, "default", Preset::built_in("default")?.text())?,
        Document::Sources | Document::Status | Document::Notes | Document::Manifest => {}
    }
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!(document.title()));
    let made_by = concat!("lesiontrace ", env!("CARGO_PKG_VERSION"), ". ");
    schema.insert("description".to_owned(), json!(format!("{made_by}{}", report::RESEARCH_USE_NOTICE)));
    schema.append(&mut own);
    Ok(Value::Object(schema))
}

/// The lists of `result.json` that are the rows of a table.
fn describe_rows(own: &mut Map<String, Value>) -> anyhow::Result<()> {
    for (key, table) in [
        ("lesions", "lesions"),
        ("measurements", "measurements"),
        ("pet_references", "pet_references"),
        ("margins", "margins"),
        ("assessments", "assessments"),
        ("further_assessments", "assessments"),
        ("events", "events"),
        ("endpoints", "endpoints"),
        ("other_endpoints", "endpoints"),
        ("reads", "reads"),
    ] {
        describe_table(own, key, table)?;
    }
    Ok(())
}

/// Gives the keys of the objects in a list the descriptions of a table's columns.
fn describe_table(own: &mut Map<String, Value>, key: &str, table: &str) -> anyhow::Result<()> {
    let list = own.get_mut("properties").and_then(|properties| properties.get_mut(key));
    let Some(columns) = list.and_then(|list| list["items"]["properties"].as_object_mut()) else { return Ok(()) };
    for (column, about) in datapackage::descriptions(table)? {
        if let Some(Value::Object(schema)) = columns.get_mut(&column) {
            schema.insert("description".to_owned(), json!(about));
        }
    }
    Ok(())
}

/// The schema of one place.
fn schema_of(traced: &Traced, place: &str) -> Value {
    let at = |step: &str| schema_of(traced, &format!("{place}{step}"));
    match &traced.shapes.get(place) {
        None | Some(Shape::Anything) => json!({}),
        Some(Shape::Boolean) => json!({ "type": "boolean" }),
        Some(Shape::Integer { from_0: true }) => json!({ "type": "integer", "minimum": 0 }),
        Some(Shape::Integer { from_0: false }) => json!({ "type": "integer" }),
        Some(Shape::Number) => json!({ "type": "number" }),
        Some(Shape::Text("text")) => json!({ "type": "string" }),
        Some(Shape::Text(taken)) => json!({ "type": "string", "examples": [taken] }),
        Some(Shape::Optional) => optional(&at("?")),
        Some(Shape::List) => json!({ "type": "array", "items": at("[]") }),
        Some(Shape::Tuple(n)) => tuple(&(0..*n).map(|element| at(&format!("[{element}]"))).collect::<Vec<Value>>()),
        Some(Shape::Map) => map(traced, place),
        Some(Shape::Object(keys)) => object(traced, place, keys),
        Some(Shape::Enumeration(variants)) => enumeration(traced, place, variants),
        Some(Shape::Bare) => json!({ "type": "null" }),
    }
}

fn optional(inner: &Value) -> Value {
    let nothing = json!({ "type": "null" });
    match inner.get("anyOf") {
        Some(Value::Array(ways)) => {
            let ways = [ways.clone(), vec![nothing]].concat();
            json!({ "anyOf": ways })
        }
        _ => json!({ "anyOf": [inner, nothing] }),
    }
}

/// As many elements, each in its place where they are not all of one kind.
fn tuple(elements: &[Value]) -> Value {
    let n = elements.len();
    match elements.first().filter(|first| elements.iter().all(|element| element == *first)) {
        Some(all) => json!({ "type": "array", "items": all, "minItems": n, "maxItems": n }),
        None => json!({ "type": "array", "prefixItems": elements, "items": false, "minItems": n }),
    }
}

fn map(traced: &Traced, place: &str) -> Value {
    let values = schema_of(traced, &format!("{place}{{}}"));
    match schema_of(traced, &format!("{place}{{key}}")) {
        keys if keys.get("enum").is_some() => {
            json!({ "type": "object", "propertyNames": keys, "additionalProperties": values })
        }
        _ => json!({ "type": "object", "additionalProperties": values }),
    }
}

fn object(traced: &Traced, place: &str, keys: &[&str]) -> Value {
    let properties: Map<String, Value> =
        keys.iter().map(|key| ((*key).to_owned(), schema_of(traced, &format!("{place}/{key}")))).collect();
    let required: Vec<&&str> = keys.iter().filter(|key| traced.required.contains(&format!("{place}/{key}"))).collect();
    let mut schema = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if traced.closed.contains(place) {
        schema["additionalProperties"] = json!(false);
    }
    schema
}

/// Variants by their name alone stand in one list; each with content is an object of one key.
fn enumeration(traced: &Traced, place: &str, variants: &[&str]) -> Value {
    let is_bare = |variant: &&&str| traced.shapes.get(&format!("{place}<{variant}>")) == Some(&Shape::Bare);
    let (bare, full): (Vec<&str>, Vec<&str>) = variants.iter().partition(|variant| is_bare(variant));
    let of_full = full.iter().map(|variant| {
        let content = schema_of(traced, &format!("{place}<{variant}>"));
        json!({ "type": "object", "properties": { *variant: content }, "required": [variant], "additionalProperties": false })
    });
    let names = (!bare.is_empty()).then(|| json!({ "enum": bare }));
    let mut ways: Vec<Value> = names.into_iter().chain(of_full).collect();
    if ways.len() == 1 { ways.remove(0) } else { json!({ "anyOf": ways }) }
}

#[cfg(test)]
mod tests;
