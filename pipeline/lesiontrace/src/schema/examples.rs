//! The entries of a published file (`{ value, source }`), as descriptions: what stands there, and after whom.

use anyhow::Context as _;
use serde_json::{Map, Value, json};

/// Puts the value and the source of each entry of a published file into the schema.
pub(super) fn describe(schema: &mut Map<String, Value>, name: &str, file: &str) -> anyhow::Result<()> {
    let values: toml::Table = toml::from_str(file).with_context(|| format!("the built-in file {name}"))?;
    let values = serde_json::to_value(values).with_context(|| format!("the built-in file {name}"))?;
    tell(schema, name, &values);
    Ok(())
}

fn tell(schema: &mut Map<String, Value>, name: &str, values: &Value) {
    if let (Some(value), Some(Value::String(source))) = (values.get("value"), values.get("source")) {
        schema.insert("description".to_owned(), json!(format!("{name}: {value}. {source}")));
        return;
    }
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    for (key, below) in values.as_object().into_iter().flatten() {
        if let Some(Value::Object(own)) = properties.get_mut(key) {
            tell(own, name, below);
        }
    }
}
