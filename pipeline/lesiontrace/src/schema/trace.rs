//! What a type reads, asked of the type itself: its `Deserialize` is run on a reader that holds no document and writes down what it is
//! asked for. So a schema cannot say anything else than the program does.
//!
//! One run sees one variant of an enumeration, and whether a key may be missing shows only when it is: the type is run once more for
//! each variant, for each key left out, and for a key that no one knows.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;

use reader::Reader;

mod reader;
#[cfg(test)]
mod tests;

/// What a type asks for at one place.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// True or false.
    Boolean,
    /// A whole number, from 0 on where the type has no sign.
    Integer { from_0: bool },
    /// A number.
    Number,
    /// A text; this one is taken.
    Text(&'static str),
    /// What the type itself decides by what stands there.
    Anything,
    /// Something, or null.
    Optional,
    /// Any number of elements.
    List,
    /// As many elements.
    Tuple(usize),
    /// Keys that the user names.
    Map,
    /// Keys that the type names.
    Object(&'static [&'static str]),
    /// One of these, by its name alone or with content.
    Enumeration(&'static [&'static str]),
    /// A variant that is its name alone.
    Bare,
}

/// Every place of a type, and what was found out about it. A place is named by the way there: `/key`, `[]` (`[0]` in a tuple), `{}` for
/// the values of a map, `?` for what stands where there is something, `<variant>`.
#[derive(Debug, Default)]
pub(super) struct Traced {
    pub(super) shapes: BTreeMap<String, Shape>,
    /// Keys that must be there.
    pub(super) required: BTreeSet<String>,
    /// Objects that refuse keys they do not know.
    pub(super) closed: BTreeSet<String>,
}

/// What one run of a type is to do, and what it sees.
#[derive(Debug, Clone, Default)]
struct Run {
    /// Place to which the variants on the way are taken; of other enumerations the first variant is.
    way: String,
    /// Which text is handed out at a place; the first where nothing is said.
    texts: BTreeMap<String, usize>,
    /// A key that is left out.
    left_out: Option<String>,
    /// An object that gets a key more.
    added_to: Option<String>,
    shapes: BTreeMap<String, Shape>,
    /// The last place where a text was handed out.
    last_text: String,
}

/// Texts to hand out, until one is taken: some types take dates or words of their own only.
const TEXTS: &[&str] = &["text", "2020-03-02", "2020-03-02T10:00:00Z", "CR", "MWA", "AFP", "L1"];

/// Traces a type; `None` where it takes none of [`TEXTS`].
pub(super) fn trace<T: DeserializeOwned>() -> Option<Traced> {
    let mut traced = Traced::default();
    let mut run = Run::default();
    let (mut ways, mut gone) = (vec![String::new()], BTreeSet::new());
    while let Some(way) = ways.pop() {
        run = settled::<T>(&Run { way, ..asked(&run) })?;
        for (place, shape) in &run.shapes {
            if let Shape::Enumeration(variants) = shape {
                let all = variants.iter().map(|variant| format!("{place}<{variant}>"));
                ways.extend(all.filter(|way| gone.insert(way.clone())));
            }
        }
        traced.shapes.append(&mut run.shapes.clone());
    }
    let objects: Vec<(String, &[&str])> =
        traced.shapes.iter().filter_map(|(place, shape)| keys(place, shape)).collect();
    for (place, keys) in objects {
        for key in keys.iter().map(|key| format!("{place}/{key}")) {
            let without = Run { way: place.clone(), left_out: Some(key.clone()), ..asked(&run) };
            if settled::<T>(&without).is_none() {
                traced.required.insert(key);
            }
        }
        let with_more = Run { way: place.clone(), added_to: Some(place.clone()), ..asked(&run) };
        if settled::<T>(&with_more).is_none() {
            traced.closed.insert(place);
        }
    }
    Some(traced)
}

fn keys<'a>(place: &str, shape: &Shape) -> Option<(String, &'a [&'static str])> {
    if let Shape::Object(keys) = shape { Some((place.to_owned(), keys)) } else { None }
}

/// A run that has seen nothing and knows which texts are taken.
fn asked(before: &Run) -> Run {
    Run { texts: before.texts.clone(), ..Run::default() }
}

/// Runs the type until it takes every text; `None` where it refuses for another reason.
fn settled<T: DeserializeOwned>(asked: &Run) -> Option<Run> {
    let mut next = asked.clone();
    loop {
        let run = RefCell::new(next);
        let taken = T::deserialize(Reader::new(&run, String::new())).is_ok();
        let run = run.into_inner();
        if taken {
            return Some(run);
        }
        let mut texts = run.texts;
        let at = texts.entry(run.last_text).or_insert(0);
        *at += 1;
        if *at > TEXTS.len() {
            return None;
        }
        next = Run { texts, ..asked.clone() };
    }
}
