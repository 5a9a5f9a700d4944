//! The comments of the built-in study file, as descriptions: of a key what stands behind its value, else above it, of a section
//! what stands below its name.

use anyhow::Context as _;
use serde_json::{Map, Value, json};

/// Puts comment and value of each key of the built-in study file into the schema as description and default.
pub(super) fn describe(schema: &mut Map<String, Value>, file: &str) -> anyhow::Result<()> {
    let values: toml::Table = toml::from_str(file).context("the built-in study file")?;
    let values = serde_json::to_value(values).context("the built-in study file")?;
    let (mut section, mut above, mut is_head) = (String::new(), Vec::new(), false);
    for line in file.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix('#') {
            above.push(comment.trim());
            if is_head {
                tell(schema, &section, None, &above.join(" "), None);
            }
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
            above.clear();
            is_head = true;
            continue;
        }
        is_head = false;
        if let Some((key, rest)) = line.split_once(" = ") {
            let behind = rest.rsplit_once(" # ").map(|(_, comment)| comment.trim().to_owned());
            let about = behind.unwrap_or_else(|| above.join(" "));
            let default = values.pointer(&format!("/{}/{key}", section.replace('.', "/")));
            tell(schema, &section, Some(key), &about, default);
        }
        above.clear();
    }
    Ok(())
}

/// Puts them at a key, or at the section itself.
fn tell(schema: &mut Map<String, Value>, section: &str, key: Option<&str>, about: &str, default: Option<&Value>) {
    let key = key.map(|key| format!("/properties/{key}")).unwrap_or_default();
    let place = format!("/{}{key}", section.replace('.', "/properties/"));
    let Some(Value::Object(own)) = schema.get_mut("properties").and_then(|all| all.pointer_mut(&place)) else { return };
    if !about.is_empty() {
        own.insert("description".to_owned(), json!(about));
    }
    if let Some(default) = default {
        own.insert("default".to_owned(), default.clone());
    }
}
