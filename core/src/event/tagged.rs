//! Puts kind and payload, which a store keeps apart, together again for serde, without a copy of the payload.

use super::UnknownRecord;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Error;
use std::marker::PhantomData;

/// Reads the event of a kind.
pub(super) fn read<'de, E, P>(kind: &str, payload: Option<P>) -> Result<E, UnknownRecord>
where
    E: DeserializeOwned,
    P: Deserializer<'de, Error = Error>,
{
    let tagged = Tagged {
        kind: Some(kind),
        payload,
        input: PhantomData,
    };
    E::deserialize(tagged).map_err(|e| unreadable(kind, &e))
}

/// Whether it is the kind that is unknown, or its payload that can't be read.
pub(super) fn unreadable(kind: &str, error: &Error) -> UnknownRecord {
    let (kind, reason) = (kind.to_owned(), error.to_string());
    if reason.starts_with(&format!("unknown variant `{kind}`")) {
        UnknownRecord::Kind { kind }
    } else {
        UnknownRecord::Payload { kind, reason }
    }
}

/// The map `{"kind": …, "payload": …}`, as which serde knows the enums of events.
struct Tagged<'a, 'de, P> {
    kind: Option<&'a str>,
    payload: Option<P>,
    input: PhantomData<&'de ()>,
}

impl<'de, P: Deserializer<'de, Error = Error>> Deserializer<'de> for Tagged<'_, 'de, P> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, P: Deserializer<'de, Error = Error>> MapAccess<'de> for Tagged<'_, 'de, P> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let key = match (&self.kind, &self.payload) {
            (Some(_), _) => "kind",
            (None, Some(_)) => "payload",
            (None, None) => return Ok(None),
        };
        seed.deserialize(BorrowedStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        use serde::de::{Error as _, IntoDeserializer};
        match (self.kind.take(), self.payload.take()) {
            (Some(kind), payload) => {
                self.payload = payload;
                seed.deserialize(kind.into_deserializer())
            }
            (None, Some(payload)) => seed.deserialize(payload),
            (None, None) => Err(Error::custom("a value without a key")),
        }
    }
}
