//! The reader that holds no document: whatever a type asks for, it gets, and the question is written down.

use std::cell::RefCell;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, IntoDeserializer as _, Visitor};
use serde::forward_to_deserialize_any;

use super::{Run, Shape, TEXTS};

/// Why a type does not take what it got; the reason itself is of no use.
#[derive(Debug)]
pub(super) struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// Reads one place.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    run: &'a RefCell<Run>,
    place: String,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(run: &'a RefCell<Run>, place: String) -> Self {
        Self { run, place }
    }

    fn saw(&self, shape: Shape) {
        self.run.borrow_mut().shapes.insert(self.place.clone(), shape);
    }

    fn below(&self, step: &str) -> Self {
        Self { run: self.run, place: format!("{}{step}", self.place) }
    }

    /// The text to hand out here; `first` many other things are tried before the texts.
    fn text(&self, first: usize) -> Option<&'static str> {
        let mut run = self.run.borrow_mut();
        run.last_text.clone_from(&self.place);
        let tried = run.texts.get(&self.place).copied().unwrap_or(0);
        tried.checked_sub(first).map(|at| TEXTS.get(at).copied().unwrap_or_default())
    }

    /// The variant that the way of this run goes through, else the first.
    fn variant(&self, variants: &'static [&'static str]) -> &'static str {
        let run = self.run.borrow();
        let is_on_way = |variant: &&&str| run.way.starts_with(&format!("{}<{variant}>", self.place));
        variants.iter().find(is_on_way).or(variants.first()).copied().unwrap_or_default()
    }
}

macro_rules! whole_numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            self.saw(Shape::Integer { from_0: stringify!($method).contains("_u") });
            visitor.visit_u64(1)
        }
    )*};
}

macro_rules! texts {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            let text = self.text(0).unwrap_or_default();
            self.saw(Shape::Text(text));
            visitor.visit_str(text)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Reader<'_> {
    type Error = Refused;

    /// The type decides by what stands there: a number is tried, then texts.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.saw(Shape::Anything);
        match self.text(1) {
            None => visitor.visit_f64(1.0),
            Some(text) => visitor.visit_str(text),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.saw(Shape::Boolean);
        visitor.visit_bool(true)
    }

    whole_numbers! { deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8 deserialize_u16
    deserialize_u32 deserialize_u64 deserialize_u128 }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.saw(Shape::Number);
        visitor.visit_f64(1.0)
    }

    texts! { deserialize_str deserialize_string deserialize_identifier deserialize_char }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.saw(Shape::Optional);
        visitor.visit_some(self.below("?"))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.saw(Shape::List);
        visitor.visit_seq(Elements { steps: vec!["[]".to_owned()], reader: self })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, n: usize, visitor: V) -> Result<V::Value, Refused> {
        self.saw(Shape::Tuple(n));
        visitor.visit_seq(Elements { steps: (0..n).rev().map(|at| format!("[{at}]")).collect(), reader: self })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        n: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_tuple(n, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.saw(Shape::Map);
        visitor.visit_map(Entry { reader: self, is_read: false })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        keys: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.saw(Shape::Object(keys));
        let run = self.run.borrow();
        let is_there = |key: &&&str| run.left_out != Some(format!("{}/{key}", self.place));
        let mut keys: Vec<&str> = keys.iter().filter(is_there).copied().rev().collect();
        if run.added_to.as_ref() == Some(&self.place) {
            keys.push("no such key");
        }
        drop(run);
        visitor.visit_map(Keys { left: keys, at: "", reader: self })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.saw(Shape::Enumeration(variants));
        let variant = self.variant(variants);
        visitor.visit_enum(Variant { reader: self.below(&format!("<{variant}>")), variant })
    }

    forward_to_deserialize_any! { bytes byte_buf unit unit_struct ignored_any }
}

/// Elements of a list, the last first.
struct Elements<'a> {
    reader: Reader<'a>,
    steps: Vec<String>,
}

impl<'de> de::SeqAccess<'de> for Elements<'_> {
    type Error = Refused;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Refused> {
        self.steps.pop().map(|step| seed.deserialize(self.reader.below(&step))).transpose()
    }
}

/// One entry of a map.
struct Entry<'a> {
    reader: Reader<'a>,
    is_read: bool,
}

impl<'de> de::MapAccess<'de> for Entry<'_> {
    type Error = Refused;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Refused> {
        if std::mem::replace(&mut self.is_read, true) {
            return Ok(None);
        }
        seed.deserialize(self.reader.below("{key}")).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refused> {
        seed.deserialize(self.reader.below("{}"))
    }
}

/// Keys of an object, the last first.
struct Keys<'a> {
    reader: Reader<'a>,
    left: Vec<&'static str>,
    at: &'static str,
}

impl<'de> de::MapAccess<'de> for Keys<'_> {
    type Error = Refused;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Refused> {
        let Some(key) = self.left.pop() else { return Ok(None) };
        self.at = key;
        let key: StrDeserializer<'_, Refused> = key.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refused> {
        seed.deserialize(self.reader.below(&format!("/{}", self.at)))
    }
}

/// One variant of an enumeration.
struct Variant<'a> {
    reader: Reader<'a>,
    variant: &'static str,
}

impl<'de> de::EnumAccess<'de> for Variant<'_> {
    type Error = Refused;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Refused> {
        let name: StrDeserializer<'_, Refused> = self.variant.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        self.reader.saw(Shape::Bare);
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Refused> {
        seed.deserialize(self.reader)
    }

    fn tuple_variant<V: Visitor<'de>>(self, n: usize, visitor: V) -> Result<V::Value, Refused> {
        de::Deserializer::deserialize_tuple(self.reader, n, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, keys: &'static [&'static str], visitor: V) -> Result<V::Value, Refused> {
        de::Deserializer::deserialize_struct(self.reader, "", keys, visitor)
    }
}
