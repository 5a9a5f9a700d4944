//! The command set of a message: what is asked for, or how it went.
//!
//! Source: DICOM PS3.7 section 6.3 (encoding: Implicit VR Little Endian), annex E (fields).

use std::collections::BTreeMap;

/// Fields, as element numbers of group 0000.
pub(crate) const AFFECTED_CLASS: u16 = 0x0002;
pub(crate) const FIELD: u16 = 0x0100;
pub(crate) const MESSAGE_ID: u16 = 0x0110;
pub(crate) const RESPONDED_ID: u16 = 0x0120;
pub(crate) const MOVE_DESTINATION: u16 = 0x0600;
pub(crate) const PRIORITY: u16 = 0x0700;
pub(crate) const DATA_SET_TYPE: u16 = 0x0800;
pub(crate) const STATUS: u16 = 0x0900;
pub(crate) const AFFECTED_INSTANCE: u16 = 0x1000;

/// No data set follows.
const NO_DATA_SET: u16 = 0x0101;

/// Kinds of messages.
pub(crate) const STORE_REQUEST: u16 = 0x0001;
pub(crate) const STORE_RESPONSE: u16 = 0x8001;
pub(crate) const GET_REQUEST: u16 = 0x0010;
pub(crate) const GET_RESPONSE: u16 = 0x8010;
pub(crate) const FIND_REQUEST: u16 = 0x0020;
pub(crate) const FIND_RESPONSE: u16 = 0x8020;
pub(crate) const MOVE_REQUEST: u16 = 0x0021;
pub(crate) const MOVE_RESPONSE: u16 = 0x8021;
pub(crate) const ECHO_REQUEST: u16 = 0x0030;
pub(crate) const ECHO_RESPONSE: u16 = 0x8030;

/// A command set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Command {
    fields: BTreeMap<u16, Vec<u8>>,
}

impl Command {
    /// A request of a kind, with or without a data set.
    pub(crate) fn request(field: u16, message_id: u16, sop_class_uid: &str) -> Self {
        let command = Self::default().number(FIELD, field).number(MESSAGE_ID, message_id).number(PRIORITY, 0);
        // Any other value than "none" says that a data set follows.
        command.number(DATA_SET_TYPE, 1).text(AFFECTED_CLASS, sop_class_uid)
    }

    /// The response to a request.
    pub(crate) fn response(field: u16, to: &Self, status: u16) -> Self {
        let mut command =
            Self::default().number(FIELD, field).number(DATA_SET_TYPE, NO_DATA_SET).number(STATUS, status);
        for (from, number) in
            [(MESSAGE_ID, RESPONDED_ID), (AFFECTED_CLASS, AFFECTED_CLASS), (AFFECTED_INSTANCE, AFFECTED_INSTANCE)]
        {
            if let Some(value) = to.fields.get(&from) {
                command.fields.insert(number, value.clone());
            }
        }
        command
    }

    pub(crate) fn number(mut self, field: u16, value: u16) -> Self {
        self.fields.insert(field, value.to_le_bytes().to_vec());
        self
    }

    /// A UID or title, padded to an even length.
    pub(crate) fn text(mut self, field: u16, value: &str) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        if !bytes.len().is_multiple_of(2) {
            bytes.push(if field == MOVE_DESTINATION { b' ' } else { 0 });
        }
        self.fields.insert(field, bytes);
        self
    }

    /// A number; `None` where it is missing or has another length.
    pub(crate) fn number_of(&self, field: u16) -> Option<u16> {
        Some(u16::from_le_bytes(self.fields.get(&field)?.as_slice().try_into().ok()?))
    }

    /// A text without its padding.
    pub(crate) fn text_of(&self, field: u16) -> String {
        let bytes = self.fields.get(&field).map(Vec::as_slice).unwrap_or_default();
        String::from_utf8_lossy(bytes).trim_end_matches(['\0', ' ']).to_owned()
    }

    pub(crate) fn has_data_set(&self) -> bool {
        self.number_of(DATA_SET_TYPE).is_some_and(|kind| kind != NO_DATA_SET)
    }

    pub(crate) fn encoded(&self) -> Vec<u8> {
        let mut fields = Vec::new();
        for (field, value) in &self.fields {
            fields.extend(element(*field, value));
        }
        let mut bytes = element(0, &(fields.len() as u32).to_le_bytes());
        bytes.extend(fields);
        bytes
    }

    /// `None` where the bytes are no command set.
    pub(crate) fn decoded(bytes: &[u8]) -> Option<Self> {
        let (mut command, mut rest) = (Self::default(), bytes);
        while !rest.is_empty() {
            let (head, tail) = rest.split_at_checked(8)?;
            if head[..2] != [0, 0] {
                return None;
            }
            let field = u16::from_le_bytes([head[2], head[3]]);
            let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
            let (value, after) = tail.split_at_checked(length)?;
            command.fields.insert(field, value.to_vec());
            rest = after;
        }
        command.fields.remove(&0);
        command.fields.contains_key(&FIELD).then_some(command)
    }
}

fn element(field: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0];
    bytes.extend(field.to_le_bytes());
    bytes.extend((value.len() as u32).to_le_bytes());
    bytes.extend(value);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_request_is_encoded_as_the_standard_says() {
        let command = Command::default().number(FIELD, ECHO_REQUEST).text(AFFECTED_CLASS, "1.2.840.10008.1.1");
        let bytes = command.encoded();
        // (0000,0000) length 4: the 26 and 10 bytes of the two fields.
        assert_eq!(&bytes[..12], [0, 0, 0, 0, 4, 0, 0, 0, 36, 0, 0, 0].as_slice());
        assert_eq!(&bytes[12..20], [0, 0, 2, 0, 18, 0, 0, 0].as_slice());
        assert_eq!(Command::decoded(&bytes), Some(command));
    }

    #[test]
    fn a_response_answers_its_request_and_damaged_bytes_are_refused() {
        let request = Command::request(STORE_REQUEST, 7, "1.2").text(AFFECTED_INSTANCE, "1.2.3");
        let response = Command::response(STORE_RESPONSE, &request, 0);
        assert_eq!(
            (response.number_of(RESPONDED_ID), response.text_of(AFFECTED_INSTANCE).as_str()),
            (Some(7), "1.2.3")
        );
        assert!(request.has_data_set() && !response.has_data_set());
        let bytes = request.encoded();
        for n in 1..bytes.len() {
            let cut = Command::decoded(&bytes[..n]);
            assert!(cut.is_none_or(|c| c != request), "{n}");
        }
        assert_eq!(Command::decoded(&[0, 0, 0, 1, 255, 255, 255, 255, 1]), None);
        assert_eq!(Command::decoded(&[8, 0, 5, 0, 0, 0, 0, 0]), None);
        assert_eq!(Command::decoded(&[]), None);
    }
}
