//! A type with one of everything; what it reads is written beside it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;

use super::super::schema_of;
use super::*;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only what is read counts")]
enum Way {
    Straight,
    ByPoints(Vec<[f64; 2]>),
    Round { times: u8 },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only what is read counts")]
struct Inner {
    day: Date,
    #[serde(default)]
    note: String,
    way: Option<Way>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only what is read counts")]
struct Outer {
    #[serde(rename = "is it")]
    is_it: bool,
    #[serde(default)]
    inner: Vec<Inner>,
    named: BTreeMap<String, i32>,
}

#[test]
fn a_type_says_of_itself_what_it_reads_needs_and_refuses() {
    let traced = trace::<Outer>().unwrap();
    let required: Vec<&str> = traced.required.iter().map(String::as_str).collect();
    assert_eq!(required, ["/inner[]/day", "/inner[]/way?<round>/times", "/is it", "/named"]);
    assert!(traced.closed.contains("/inner[]") && !traced.closed.contains(""), "{:?}", traced.closed);
    assert_eq!(traced.shapes["/inner[]/day"], Shape::Text("2020-03-02"), "no other text is a day");
    assert_eq!(traced.shapes["/inner[]/way?<by_points>[]"], Shape::Tuple(2));
    assert_eq!(traced.shapes["/inner[]/way?<straight>"], Shape::Bare);
}

#[test]
fn the_schema_says_the_same_in_the_words_of_the_standard() {
    let schema = schema_of(&trace::<Outer>().unwrap(), "");
    assert_eq!(schema["required"], serde_json::json!(["is it", "named"]));
    assert_eq!(schema["properties"]["named"]["additionalProperties"]["type"], "integer");
    let inner = &schema["properties"]["inner"]["items"];
    assert_eq!((&inner["additionalProperties"], &inner["required"]), (&false.into(), &serde_json::json!(["day"])));
    let ways = inner["properties"]["way"]["anyOf"].as_array().unwrap();
    assert_eq!(ways[0], serde_json::json!({ "enum": ["straight"] }));
    assert_eq!(ways[1]["properties"]["by_points"]["items"]["minItems"], 2);
    assert_eq!(ways[2]["properties"]["round"]["properties"]["times"]["minimum"], 0);
    assert_eq!(ways[3], serde_json::json!({ "type": "null" }));
}
