//! An association: what both sides agree on before they speak, and the protocol data units they speak in.
//!
//! Source: DICOM PS3.8 section 9.3 (protocol data units; `dicom-ul` encodes them), PS3.7 annex D (negotiation).

use std::io::{self, Read as _, Write as _};

use dicom_ul::pdu::{
    AbortRQSource, AssociationAC, AssociationRJ, AssociationRJResult, AssociationRJServiceUserReason,
    AssociationRJSource, AssociationRQ, PresentationContextProposed, PresentationContextResult,
    PresentationContextResultReason, RequestorRoles, UserVariableItem,
};
use dicom_ul::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, Pdu, read_pdu, write_pdu};

use super::wire::{Wire, broken};
use crate::{DimseAddress, TransferError};

/// What we take at a time.
const MAX_PDU: u32 = 128 << 10;

/// Type, a reserved byte and the length.
const HEADER: usize = 6;

/// The one application context there is (PS3.7 A.2.1).
const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";

/// What a side takes that does not say how much it takes.
const UNSTATED_MAX_PDU: u32 = 16 << 10;

/// A class of objects or a service, and the one transfer syntax it is offered in.
pub(crate) type Context = (String, String);

/// What is offered when an association is asked for.
pub(crate) struct Offer<'a> {
    pub(crate) calling_ae: &'a str,
    pub(crate) contexts: &'a [Context],
    /// Classes of objects that the archive may send to us over this association.
    pub(crate) received: &'a [String],
}

/// What both sides agreed on.
pub(super) struct Accepted {
    pub(super) id: u8,
    pub(super) class: String,
    pub(super) syntax: String,
}

/// An open association.
pub(crate) struct Association {
    wire: Box<dyn Wire>,
    pub(super) accepted: Vec<Accepted>,
    pub(super) peer_max_pdu: u32,
    /// The protocol data unit at hand, either way.
    bytes: Vec<u8>,
}

/// Asks for an association; `None` where the archive takes none of what is offered.
pub(super) fn request(
    wire: Box<dyn Wire>,
    address: &DimseAddress,
    offer: &Offer<'_>,
) -> Result<Option<Association>, TransferError> {
    let proposed = |(n, (class, syntax)): (usize, &Context)| PresentationContextProposed {
        id: (2 * n + 1) as u8,
        abstract_syntax: class.clone(),
        transfer_syntaxes: vec![syntax.clone()],
    };
    let roles = |class: &String| {
        UserVariableItem::ScuScpRoleSelectionSubItem(class.clone(), RequestorRoles { scu: false, scp: true })
    };
    let asked = AssociationRQ {
        protocol_version: 1,
        calling_ae_title: offer.calling_ae.to_owned(),
        called_ae_title: address.ae_title.clone(),
        application_context_name: APPLICATION_CONTEXT.to_owned(),
        presentation_contexts: offer.contexts.iter().enumerate().map(proposed).collect(),
        user_variables: ourselves().into_iter().chain(offer.received.iter().map(roles)).collect(),
    };
    let mut association = Association { wire, accepted: Vec::new(), peer_max_pdu: MAX_PDU, bytes: Vec::new() };
    association.send(&asked.into())?;
    let header = association.header().map_err(|error| unanswered(&error, association.wire.is_tls()))?;
    let answer = match association.receive_after(header)? {
        Pdu::AssociationAC(answer) => answer,
        Pdu::AssociationRJ(rejected) => return Err(refused(&rejected)),
        Pdu::AbortRQ { .. } => {
            return Err(TransferError::transient("the archive broke off where an association was asked for"));
        }
        _ => return Err(no_dimse()),
    };
    let of = |result: &PresentationContextResult| {
        let n = usize::from(result.id).checked_sub(1).filter(|n| n % 2 == 0)? / 2;
        let (class, syntax) = offer.contexts.get(n)?;
        let is_accepted = result.reason == PresentationContextResultReason::Acceptance
            && result.transfer_syntax.trim_end_matches(['\0', ' ']) == syntax;
        is_accepted.then(|| Accepted { id: result.id, class: class.clone(), syntax: syntax.clone() })
    };
    association.accepted = answer.presentation_contexts.iter().filter_map(of).collect();
    association.peer_max_pdu = max_pdu_of(&answer.user_variables);
    if association.accepted.is_empty() {
        let _ = association.send(&Pdu::AbortRQ { source: AbortRQSource::ServiceUser });
        association.wire.close();
        return Ok(None);
    }
    Ok(Some(association))
}

/// Takes an association that the other side asks for: classes that `is_taken`, each in the first of its transfer syntaxes that is ours.
pub(super) fn accept(
    wire: Box<dyn Wire>,
    our_title: &str,
    is_taken: impl Fn(&str) -> bool,
    syntaxes: &[&str],
) -> Result<Association, TransferError> {
    let mut association = Association { wire, accepted: Vec::new(), peer_max_pdu: MAX_PDU, bytes: Vec::new() };
    let Pdu::AssociationRQ(asked) = association.receive()? else { return Err(no_dimse()) };
    association.peer_max_pdu = max_pdu_of(&asked.user_variables);
    if asked.called_ae_title != our_title.trim() {
        let reason = AssociationRJServiceUserReason::CalledAETitleNotRecognized;
        let source = AssociationRJSource::ServiceUser(reason);
        association.send(&AssociationRJ { result: AssociationRJResult::Permanent, source }.into())?;
        return Err(TransferError::Refused("the archive sends to another title than ours (--calling-ae)".to_owned()));
    }
    let mut results = Vec::new();
    for proposed in asked.presentation_contexts {
        let plain = |uid: &str| uid.trim_end_matches(['\0', ' ']).to_owned();
        let class = plain(&proposed.abstract_syntax);
        let common =
            proposed.transfer_syntaxes.iter().map(|uid| plain(uid)).find(|uid| syntaxes.contains(&uid.as_str()));
        let (reason, syntax) = match common {
            _ if !is_taken(&class) => (PresentationContextResultReason::AbstractSyntaxNotSupported, None),
            None => (PresentationContextResultReason::TransferSyntaxesNotSupported, None),
            Some(syntax) => (PresentationContextResultReason::Acceptance, Some(syntax)),
        };
        let transfer_syntax = syntax.clone().unwrap_or_else(|| super::IMPLICIT_LITTLE_ENDIAN.to_owned());
        results.push(PresentationContextResult { id: proposed.id, reason, transfer_syntax });
        association.accepted.extend(syntax.map(|syntax| Accepted { id: proposed.id, class, syntax }));
    }
    let answer = AssociationAC {
        protocol_version: 1,
        calling_ae_title: asked.calling_ae_title,
        called_ae_title: asked.called_ae_title,
        application_context_name: APPLICATION_CONTEXT.to_owned(),
        presentation_contexts: results,
        user_variables: ourselves(),
    };
    association.send(&answer.into())?;
    Ok(association)
}

fn ourselves() -> Vec<UserVariableItem> {
    vec![
        UserVariableItem::MaxLength(MAX_PDU),
        UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS_UID.to_owned()),
        UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION_NAME.to_owned()),
    ]
}

/// How much the other side takes at a time; 0 says that it takes anything.
fn max_pdu_of(items: &[UserVariableItem]) -> u32 {
    let stated = items.iter().find_map(|item| match item {
        UserVariableItem::MaxLength(length) => Some(*length),
        _ => None,
    });
    match stated {
        None => UNSTATED_MAX_PDU,
        Some(0) => MAX_PDU,
        Some(length) => length,
    }
}

/// Why no answer came to the first message. Who ends the connection there may have wanted another kind of it.
fn unanswered(error: &io::Error, is_tls: bool) -> TransferError {
    let is_ended = matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset);
    let perhaps = if is_tls {
        "one that demands a certificate of ours does so: --cert-file, --key-file"
    } else {
        "a port for TLS does so: dimse-tls://AE@HOST:PORT"
    };
    match broken(error) {
        TransferError::Transient { reason, .. } if is_ended => {
            TransferError::transient(format!("{reason} ({perhaps})"))
        }
        other => other,
    }
}

fn no_dimse() -> TransferError {
    TransferError::Refused("what answers there does not speak DIMSE as the standard says".to_owned())
}

/// Why an association was refused, and whether that may pass.
fn refused(rejected: &AssociationRJ) -> TransferError {
    if rejected.result == AssociationRJResult::Permanent {
        return TransferError::Denied(format!(
            "the archive refuses the association: {}; check the title before the @, and that it knows ours (--calling-ae)",
            rejected.source
        ));
    }
    TransferError::transient(format!("the archive refuses the association for now: {}", rejected.source))
}

impl Association {
    /// One that others have agreed on.
    #[cfg(test)]
    pub(super) fn agreed(wire: Box<dyn Wire>, accepted: Vec<Accepted>, peer_max_pdu: u32) -> Self {
        Self { wire, accepted, peer_max_pdu, bytes: Vec::new() }
    }

    pub(super) fn send(&mut self, pdu: &Pdu) -> Result<(), TransferError> {
        self.bytes.clear();
        write_pdu(&mut self.bytes, pdu)
            .map_err(|error| TransferError::Refused(format!("a message cannot be encoded: {error}")))?;
        self.wire.write_all(&self.bytes).and_then(|()| self.wire.flush()).map_err(|error| broken(&error))
    }

    /// The next protocol data unit, of bounded length.
    pub(super) fn receive(&mut self) -> Result<Pdu, TransferError> {
        let header = self.header().map_err(|error| broken(&error))?;
        self.receive_after(header)
    }

    fn header(&mut self) -> io::Result<[u8; HEADER]> {
        let mut header = [0; HEADER];
        self.wire.read_exact(&mut header).map(|()| header)
    }

    fn receive_after(&mut self, header: [u8; HEADER]) -> Result<Pdu, TransferError> {
        let length = u32::from_be_bytes([header[2], header[3], header[4], header[5]]);
        // The records of TLS begin with 20 to 23 and the version 3; no protocol data unit does.
        if !self.wire.is_tls() && (20..24).contains(&header[0]) && header[1] == 3 {
            let message = "the archive speaks TLS on this port: name it as dimse-tls://AE@HOST:PORT";
            return Err(TransferError::Denied(message.to_owned()));
        }
        if length > MAX_PDU {
            return Err(no_dimse());
        }
        self.bytes.clear();
        self.bytes.extend(header);
        self.bytes.resize(HEADER + length as usize, 0);
        self.wire.read_exact(&mut self.bytes[HEADER..]).map_err(|error| broken(&error))?;
        match read_pdu(self.bytes.as_slice(), MAX_PDU, true) {
            Ok(Some(pdu)) => Ok(pdu),
            Ok(None) | Err(_) => Err(no_dimse()),
        }
    }

    /// Ends the association in order; that it could not be ended hurts nobody.
    pub(super) fn release(mut self) {
        let is_answered = self.send(&Pdu::ReleaseRQ).is_ok();
        let _ = is_answered && self.receive().is_ok();
        self.wire.close();
    }
}
