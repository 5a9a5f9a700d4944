//! A criterion or preset with settings of the study file put over its own: each setting keeps a source, and the title says that it
//! was altered, so that nobody takes it for the published one.

use anyhow::Context as _;
use toml::{Table, Value};

/// What a published file is known by; nothing puts another over it.
const FIXED: [&str; 5] = ["id", "title", "version", "source", "name"];

/// The file's text with `settings` in it. A setting that is `"none"` is taken away.
pub(crate) fn altered(text: &str, settings: &Table) -> anyhow::Result<String> {
    if settings.is_empty() {
        return Ok(text.to_owned());
    }
    let mut file: Table = text.parse().context("reading it as TOML")?;
    let mut names = Vec::new();
    put_over(&mut file, settings, "", &mut names)?;
    let title = file.get("title").and_then(Value::as_str).unwrap_or_default();
    let title = format!("{title}, altered by the study file: {}", names.join(", "));
    file.insert("title".to_owned(), Value::String(title));
    toml::to_string(&file).context("writing it as TOML")
}

fn put_over(base: &mut Table, settings: &Table, path: &str, names: &mut Vec<String>) -> anyhow::Result<()> {
    for (key, setting) in settings {
        let name = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        anyhow::ensure!(
            !FIXED.contains(&key.as_str()),
            "{name} is what it is known by; give a file of your own another"
        );
        match (base.get_mut(key), setting) {
            (Some(Value::Table(section)), Value::Table(inside)) if !is_sourced(section) => {
                put_over(section, inside, &name, names)?;
            }
            (Some(Value::Array(items)), Value::Table(inside)) => put_over_items(items, inside, &name, names)?,
            (found, setting) => {
                let before = found.map(|found| described(found));
                names.push(format!("{name} = {}", described(setting)));
                match setting.as_str() {
                    Some("none") => drop(base.remove(key)),
                    _ => drop(base.insert(key.clone(), sourced(setting, path, before.as_deref()))),
                }
            }
        }
    }
    Ok(())
}

/// Items of a list are known by their `name`: the endpoints and windows of a preset.
fn put_over_items(items: &mut [Value], settings: &Table, path: &str, names: &mut Vec<String>) -> anyhow::Result<()> {
    for (key, setting) in settings {
        let known: Vec<String> = items.iter().filter_map(name_of).map(str::to_owned).collect();
        let item = items.iter_mut().find(|item| name_of(item) == Some(key)).and_then(Value::as_table_mut);
        let item = item.with_context(|| format!("{path}: there is no {key:?}; there are {}", known.join(", ")))?;
        let setting = setting.as_table().with_context(|| format!("{path}.{key}: expected a table of settings"))?;
        for (inner, value) in setting {
            anyhow::ensure!(!FIXED.contains(&inner.as_str()), "{path}.{key}.{inner} is what it is known by");
            names.push(format!("{path}.{key}.{inner} = {}", described(value)));
            item.insert(inner.clone(), value.clone());
        }
        if let Some(Value::String(source)) = item.get_mut("source") {
            source.push_str("; altered by the study file");
        }
    }
    Ok(())
}

fn name_of(item: &Value) -> Option<&str> {
    item.get("name").and_then(Value::as_str)
}

fn is_sourced(table: &Table) -> bool {
    table.contains_key("value")
}

/// `{ value, source }` of a setting; one that brings both along is taken as it is.
fn sourced(setting: &Value, path: &str, before: Option<&str>) -> Value {
    if setting.as_table().is_some_and(is_sourced) {
        return setting.clone();
    }
    let said = before.map_or_else(String::new, |before| format!(", in place of {before}"));
    // Rows of the response table are lists of words without a source of their own.
    if path.starts_with("overall") {
        return setting.clone();
    }
    let mut table = Table::new();
    table.insert("value".to_owned(), setting.clone());
    table.insert("source".to_owned(), Value::String(format!("the study file{said}")));
    Value::Table(table)
}

fn described(value: &Value) -> String {
    match value {
        Value::Table(table) if is_sourced(table) => described(&table["value"]),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use oncology::criteria::CriterionTable;
    use oncology::criteria::table::PrPersistence;
    use oncology::endpoint::Preset;
    use oncology::endpoint::rule::Death;
    use oncology::progression::LocalRule;

    use super::*;

    fn built_in(id: &str) -> String {
        Preset::built_in(id).unwrap().text().to_owned()
    }

    #[test]
    fn settings_of_a_preset_are_put_over_it_and_said() {
        let settings: Table = r#"
            cutoff = "none"
            days_per_month = 30.4375
            local_rule = { within_mm = 10 }
            [cycles]
            gap_days = 90
            [endpoint.PFS_local]
            death = "event"
            [response_window."3 months"]
            to_day = 150
        "#
        .parse()
        .unwrap();
        let preset = Preset::parse(&altered(&built_in("xu2021"), &settings).unwrap()).unwrap();
        assert_eq!((preset.cutoff, preset.days_per_month), (None, 30.4375));
        assert_eq!((preset.local_rule, preset.cycle_rule.gap_days), (LocalRule::WithinMm(10.0), 90));
        assert_eq!(preset.endpoint("PFS_local").unwrap().death, Death::Event);
        assert_eq!(preset.endpoint("PFS").unwrap().death, Death::Event);
        assert_eq!(preset.response_windows[1].to_day, 150);
        assert_eq!(preset.id, "xu2021");
        for said in
            ["altered by the study file", "cutoff = none", "cycles.gap_days = 90", "endpoint.PFS_local.death = event"]
        {
            assert!(preset.title.contains(said), "{said} in {}", preset.title);
        }
        assert!(preset.text().contains("the study file, in place of 30"), "{}", preset.text());
    }

    #[test]
    fn settings_of_a_criterion_are_put_over_it() {
        let settings: Table =
            "[options]\npr_persistence = \"strict\"\n[thresholds]\npd_increase_percent = 25".parse().unwrap();
        let table = CriterionTable::built_in("recist_1_1").unwrap();
        let table = CriterionTable::parse(&altered(table.text(), &settings).unwrap()).unwrap();
        assert_eq!(table.options.pr_persistence.value, PrPersistence::Strict);
        assert_eq!(table.thresholds.pd_increase_percent.value, 25);
    }

    #[test]
    fn what_does_not_exist_is_refused() {
        let refused = |settings: &str| {
            let text = altered(&built_in("xu2021"), &settings.parse().unwrap());
            text.and_then(|text| Ok(Preset::parse(&text)?)).unwrap_err().to_string()
        };
        assert!(refused("[endpoint.TTX]\ndeath = \"event\"").contains("there are OS, PFS"), "an endpoint");
        assert!(refused("months = 3").contains("unknown field `months`"), "a key");
        assert!(refused("id = \"mine\"").contains("known by"), "the identifier");
        assert!(refused("origin = \"birth\"").contains("birth"), "a word");
    }

    #[test]
    fn without_settings_the_text_is_the_same() {
        assert_eq!(altered(&built_in("ema"), &Table::new()).unwrap(), built_in("ema"));
    }
}
