//! An association as messages: commands with data sets, in fragments of bounded size.
//!
//! Source: DICOM PS3.7 section 6.3, PS3.8 annex E (fragments); `dicom-ul` carries them.

use std::collections::VecDeque;
use std::io::{Read, Write};

use dicom_ul::Pdu;
use dicom_ul::pdu::{PDataValue, PDataValueType};

use super::association::{Accepted, Association};
use super::command::Command;
use crate::TransferError;

/// What we send at a time, where the archive takes as much.
const MAX_FRAGMENT: usize = 64 << 10;

/// What a fragment needs beside its bytes.
const FRAGMENT_HEADER: usize = 6;

/// A command set has some hundred bytes.
const MAX_COMMAND: usize = 64 << 10;

/// What came in.
pub(crate) enum Message {
    /// A command, in a presentation context.
    Command(u8, Command),
    /// The other side is done.
    Released,
}

/// An open association that messages go over.
pub(crate) struct Link {
    association: Association,
    fragments: VecDeque<PDataValue>,
    message_id: u16,
}

impl Link {
    pub(crate) fn over(association: Association) -> Self {
        Self { association, fragments: VecDeque::new(), message_id: 0 }
    }

    /// Ends the association in order.
    pub(crate) fn release(self) {
        self.association.release();
    }

    /// The context accepted for a class, in a transfer syntax where one is given.
    pub(crate) fn context(&self, class: &str, syntax: Option<&str>) -> Option<u8> {
        let fits = |c: &&Accepted| c.class == class && syntax.is_none_or(|syntax| c.syntax == syntax);
        self.association.accepted.iter().find(fits).map(|context| context.id)
    }

    /// The transfer syntax of a context.
    pub(crate) fn syntax(&self, id: u8) -> Option<&str> {
        self.association.accepted.iter().find(|context| context.id == id).map(|context| context.syntax.as_str())
    }

    /// A number for the next request.
    pub(crate) fn next_id(&mut self) -> u16 {
        self.message_id = self.message_id.wrapping_add(1).max(1);
        self.message_id
    }

    /// Sends a command, and the data set that goes with it.
    pub(crate) fn send(
        &mut self,
        context: u8,
        command: &Command,
        data: Option<&mut dyn Read>,
    ) -> Result<(), TransferError> {
        self.send_fragment(context, PDataValueType::Command, command.encoded(), true)?;
        let Some(data) = data else { return Ok(()) };
        let peer = self.association.peer_max_pdu as usize;
        let size = peer.saturating_sub(FRAGMENT_HEADER).clamp(2, MAX_FRAGMENT) & !1;
        let mut fragment = read_up_to(data, size)?;
        loop {
            let next = read_up_to(data, size)?;
            let is_last = next.is_empty();
            self.send_fragment(context, PDataValueType::Data, fragment, is_last)?;
            if is_last {
                return Ok(());
            }
            fragment = next;
        }
    }

    fn send_fragment(
        &mut self,
        presentation_context_id: u8,
        value_type: PDataValueType,
        data: Vec<u8>,
        is_last: bool,
    ) -> Result<(), TransferError> {
        let value = PDataValue { presentation_context_id, value_type, is_last, data };
        self.association.send(&Pdu::PData { data: vec![value] })
    }

    /// The next fragment; `None` where the other side is done.
    fn fragment(&mut self) -> Result<Option<PDataValue>, TransferError> {
        loop {
            if let Some(fragment) = self.fragments.pop_front() {
                return Ok(Some(fragment));
            }
            match self.association.receive()? {
                Pdu::PData { data } => self.fragments.extend(data),
                Pdu::ReleaseRQ => {
                    self.association.send(&Pdu::ReleaseRP)?;
                    return Ok(None);
                }
                Pdu::AbortRQ { .. } => return Err(TransferError::transient("the archive broke the association off")),
                _ => return Err(TransferError::Refused("the archive breaks the rules of an association".to_owned())),
            }
        }
    }

    /// The next command.
    pub(crate) fn message(&mut self) -> Result<Message, TransferError> {
        let mut bytes = Vec::new();
        loop {
            let Some(fragment) = self.fragment()? else { return Ok(Message::Released) };
            let is_bounded = bytes.len() + fragment.data.len() <= MAX_COMMAND;
            if fragment.value_type != PDataValueType::Command || !is_bounded {
                let message = "the archive sent something else where a command was due";
                return Err(TransferError::Refused(message.to_owned()));
            }
            bytes.extend(fragment.data);
            if fragment.is_last {
                let command = Command::decoded(&bytes).ok_or_else(|| {
                    TransferError::Refused("the archive sent a command that cannot be read".to_owned())
                })?;
                return Ok(Message::Command(fragment.presentation_context_id, command));
            }
        }
    }

    /// Copies the data set that follows a command. All of it is taken from the connection, also where it cannot be written.
    pub(crate) fn data(&mut self, to: &mut dyn Write) -> Result<(), TransferError> {
        let mut written = Ok(());
        loop {
            let fragment =
                self.fragment()?.ok_or_else(|| TransferError::transient("the archive ended within an object"))?;
            if fragment.value_type != PDataValueType::Data {
                return Err(TransferError::Refused("the archive sent a command within a data set".to_owned()));
            }
            if written.is_ok() {
                written = to.write_all(&fragment.data);
            }
            if fragment.is_last {
                return written.map_err(TransferError::file("the archive's folder"));
            }
        }
    }
}

fn read_up_to(from: &mut dyn Read, size: usize) -> Result<Vec<u8>, TransferError> {
    let mut bytes = Vec::with_capacity(size);
    from.take(size as u64).read_to_end(&mut bytes).map_err(TransferError::file("the file that is sent"))?;
    Ok(bytes)
}
