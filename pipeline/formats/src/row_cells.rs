//! The cells of a row, in the order of a table's columns: what [`serde_json::to_value`] makes of its fields, without a map of them
//! that would have to be made and searched for every row.

use serde::Serialize;
use serde::ser::{Error as _, Impossible, SerializeMap, SerializeStruct, Serializer};
use serde_json::{Error, Value};

use crate::parquet_table::Column;

/// The cells of a row; null where it has no field of a column's name. A field that is no column is left out.
pub(crate) fn cells_of<T: Serialize>(columns: &[Column], row: &T) -> Result<Vec<Value>, Error> {
    row.serialize(Row { columns, cells: vec![Value::Null; columns.len()], next: 0, key: String::new() })
}

/// A row that is being taken apart.
struct Row<'a> {
    columns: &'a [Column],
    cells: Vec<Value>,
    /// Where the next field belongs if fields come in the order of the columns, as they mostly do.
    next: usize,
    /// Of a map: the key whose value comes next.
    key: String,
}

impl Row<'_> {
    fn put<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Error> {
        let is_here = |at: &usize| self.columns.get(*at).is_some_and(|(column, _)| *column == name);
        let at =
            Some(self.next).filter(is_here).or_else(|| self.columns.iter().position(|(column, _)| *column == name));
        if let Some(at) = at {
            self.cells[at] = serde_json::to_value(value)?;
            self.next = at + 1;
        }
        Ok(())
    }
}

impl SerializeStruct for Row<'_> {
    type Ok = Vec<Value>;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.put(key, value)
    }

    fn end(self) -> Result<Vec<Value>, Error> {
        Ok(self.cells)
    }
}

impl SerializeMap for Row<'_> {
    type Ok = Vec<Value>;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.key = match serde_json::to_value(key)? {
            Value::String(name) => name,
            _ => return Err(no_row()),
        };
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let key = std::mem::take(&mut self.key);
        self.put(&key, value)
    }

    fn end(self) -> Result<Vec<Value>, Error> {
        Ok(self.cells)
    }
}

fn no_row() -> Error {
    Error::custom("a row of a table is a struct or a map of names; this is a fault of the program")
}

macro_rules! no_rows {
    ($($method:ident: $form:ty),*) => {
        $(fn $method(self, _: $form) -> Result<Vec<Value>, Error> { Err(no_row()) })*
    };
}

impl<'a> Serializer for Row<'a> {
    type Ok = Vec<Value>;
    type Error = Error;
    type SerializeStruct = Row<'a>;
    type SerializeMap = Row<'a>;
    type SerializeSeq = Impossible<Vec<Value>, Error>;
    type SerializeTuple = Impossible<Vec<Value>, Error>;
    type SerializeTupleStruct = Impossible<Vec<Value>, Error>;
    type SerializeTupleVariant = Impossible<Vec<Value>, Error>;
    type SerializeStructVariant = Impossible<Vec<Value>, Error>;

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Error> {
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, Error> {
        Ok(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, row: &T) -> Result<Vec<Value>, Error> {
        row.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, row: &T) -> Result<Vec<Value>, Error> {
        row.serialize(self)
    }

    no_rows! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_f32: f32,
        serialize_f64: f64, serialize_char: char, serialize_str: &str, serialize_bytes: &[u8],
        serialize_unit_struct: &'static str
    }

    fn serialize_none(self) -> Result<Vec<Value>, Error> {
        Err(no_row())
    }

    fn serialize_unit(self) -> Result<Vec<Value>, Error> {
        Err(no_row())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<Vec<Value>, Error> {
        Err(no_row())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Vec<Value>, Error> {
        Err(no_row())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Error> {
        Err(no_row())
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Error> {
        Err(no_row())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Error> {
        Err(no_row())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        Err(no_row())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        Err(no_row())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parquet_table::Kind;
    use serde_json::json;

    #[derive(Serialize)]
    struct Measured {
        id: &'static str,
        mm: Option<f64>,
        inner: u8,
        #[serde(rename = "is_new")]
        new: bool,
    }

    const COLUMNS: [Column; 4] =
        [("is_new", Kind::YesNo), ("id", Kind::Text), ("mm", Kind::Real), ("missing", Kind::Text)];

    #[test]
    fn cells_are_the_fields_of_the_columns_names_whatever_their_order() {
        let row = Measured { id: "a", mm: None, inner: 3, new: true };
        let expected = [json!(true), json!("a"), Value::Null, Value::Null];
        assert_eq!(cells_of(&COLUMNS, &row).unwrap(), expected);
        assert_eq!(cells_of(&COLUMNS, &&row).unwrap(), expected);
        assert_eq!(cells_of(&COLUMNS, &serde_json::to_value(&row).unwrap()).unwrap(), expected);
    }

    #[test]
    fn what_is_no_row_is_refused() {
        assert!(cells_of(&COLUMNS, &[1, 2]).is_err() && cells_of(&COLUMNS, &"a").is_err());
        assert!(cells_of(&COLUMNS, &None::<Measured>).is_err());
    }
}
