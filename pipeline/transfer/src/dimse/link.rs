//! An association as messages: commands with data sets, in fragments of bounded size.
//!
//! Source: DICOM PS3.7 section 6.3, PS3.8 annex E (fragments); `dicom-ul` carries them.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use dicom_ul::association::client::{ClientAssociation, ClientAssociationOptions};
use dicom_ul::association::{Error, SyncAssociation};
use dicom_ul::pdu::{
    AssociationRJResult, PDataValue, PDataValueType, Pdu, PresentationContextNegotiated,
    PresentationContextResultReason,
};

use super::command::Command;
use crate::{DimseAddress, TransferError};

/// What we take at a time.
pub(crate) const MAX_PDU: u32 = 128 << 10;

/// What we send at a time, where the archive takes as much.
const MAX_FRAGMENT: usize = 64 << 10;

/// What a fragment needs beside its bytes.
const FRAGMENT_HEADER: usize = 6;

/// A command set has some hundred bytes.
const MAX_COMMAND: usize = 64 << 10;

/// A class of objects or a service, and the one transfer syntax it is offered in.
pub(crate) type Context = (String, String);

/// What is offered when an association is asked for.
pub(crate) struct Offer<'a> {
    pub(crate) calling_ae: &'a str,
    pub(crate) contexts: &'a [Context],
    /// Classes of objects that the archive may send to us over this association.
    pub(crate) received: &'a [String],
    pub(crate) timeout: Duration,
}

/// What came in.
pub(crate) enum Message {
    /// A command, in a presentation context.
    Command(u8, Command),
    /// The other side is done.
    Released,
}

/// An open association.
pub(crate) struct Link<A> {
    association: A,
    accepted: Vec<PresentationContextNegotiated>,
    fragments: VecDeque<PDataValue>,
    message_id: u16,
}

/// An association that we asked for.
pub(crate) type Client = Link<ClientAssociation<TcpStream>>;

impl Client {
    /// Asks for an association; `None` where the archive takes none of what is offered.
    pub(crate) fn open(address: &DimseAddress, offer: &Offer<'_>) -> Result<Option<Self>, TransferError> {
        let mut options = ClientAssociationOptions::new()
            .calling_ae_title(offer.calling_ae)
            .called_ae_title(&address.ae_title)
            .max_pdu_length(MAX_PDU)
            .connection_timeout(offer.timeout)
            .read_timeout(offer.timeout)
            .write_timeout(offer.timeout);
        for (class, syntax) in offer.contexts {
            options = options.with_presentation_context(class.as_str(), vec![syntax.as_str()]);
        }
        for class in offer.received {
            options = options.with_role_selection(class.as_str(), false, true);
        }
        match options.establish(&address.host_and_port) {
            Ok(association) => Ok(Some(Self::over(association))),
            Err(Error::NoAcceptedPresentationContexts { .. }) => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Ends the association in order; that it could not be ended hurts nobody.
    pub(crate) fn release(self) {
        let _ = self.association.release();
    }
}

impl<A: SyncAssociation<TcpStream>> Link<A> {
    pub(crate) fn over(association: A) -> Self {
        let is_accepted = |c: &&PresentationContextNegotiated| c.reason == PresentationContextResultReason::Acceptance;
        let accepted = association.presentation_contexts().iter().filter(is_accepted).cloned().collect();
        Self { association, accepted, fragments: VecDeque::new(), message_id: 0 }
    }

    /// The context accepted for a class, in a transfer syntax where one is given.
    pub(crate) fn context(&self, class: &str, syntax: Option<&str>) -> Option<u8> {
        let fits = |c: &&PresentationContextNegotiated| {
            c.abstract_syntax == class && syntax.is_none_or(|syntax| c.transfer_syntax == syntax)
        };
        self.accepted.iter().find(fits).map(|context| context.id)
    }

    /// The transfer syntax of a context.
    pub(crate) fn syntax(&self, id: u8) -> Option<&str> {
        self.accepted.iter().find(|context| context.id == id).map(|context| context.transfer_syntax.as_str())
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
        let peer = self.association.peer_max_pdu_length() as usize;
        let size = peer.saturating_sub(FRAGMENT_HEADER).clamp(1, MAX_FRAGMENT) & !1;
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
        SyncAssociation::send(&mut self.association, &Pdu::PData { data: vec![value] }).map_err(|error| failed(&error))
    }

    /// The next fragment; `None` where the other side is done.
    fn fragment(&mut self) -> Result<Option<PDataValue>, TransferError> {
        loop {
            if let Some(fragment) = self.fragments.pop_front() {
                return Ok(Some(fragment));
            }
            match SyncAssociation::receive(&mut self.association).map_err(|error| failed(&error))? {
                Pdu::PData { data } => self.fragments.extend(data),
                Pdu::ReleaseRQ => {
                    SyncAssociation::send(&mut self.association, &Pdu::ReleaseRP).map_err(|error| failed(&error))?;
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

/// Why an association failed, and whether that may pass.
pub(crate) fn failed(error: &Error) -> TransferError {
    match error {
        Error::Rejected { association_rj, .. } if association_rj.result == AssociationRJResult::Permanent => {
            TransferError::Denied(format!(
                "the archive refuses the association: {}; check the title before the @, and that it knows ours (--calling-ae)",
                association_rj.source
            ))
        }
        Error::Rejected { association_rj, .. } => {
            TransferError::transient(format!("the archive refuses the association for now: {}", association_rj.source))
        }
        Error::UnexpectedPdu { .. } | Error::UnknownPdu { .. } | Error::ProtocolVersionMismatch { .. } => {
            TransferError::Refused("what answers there does not speak DIMSE as the standard says".to_owned())
        }
        other => TransferError::transient(format!("the connection failed: {}", causes(other))),
    }
}

/// An error with its causes on one line.
fn causes(error: &dyn std::error::Error) -> String {
    let (mut text, mut next) = (error.to_string(), error.source());
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}
