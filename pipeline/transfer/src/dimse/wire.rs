//! What an association runs over: TCP, or TLS over it. Where TLS was asked for, nothing is said before it is there.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs as _};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ConnectionCommon, ServerConfig, ServerConnection, SideData, StreamOwned};

use crate::tls::{Tls, meaning, reason_in};
use crate::{DimseAddress, TransferError};

/// A connection.
pub(crate) trait Wire: Read + Write + Send {
    /// Ends it; that it could not be ended in order hurts nobody.
    fn close(&mut self);
    /// Whether it is encrypted.
    fn is_tls(&self) -> bool;
}

impl Wire for TcpStream {
    fn close(&mut self) {
        let _ = self.shutdown(Shutdown::Both);
    }
    fn is_tls(&self) -> bool {
        false
    }
}

impl<C, S> Wire for StreamOwned<C, TcpStream>
where
    C: DerefMut + Deref<Target = ConnectionCommon<S>> + Send,
    S: SideData,
{
    fn close(&mut self) {
        self.conn.send_close_notify();
        let _ = self.flush();
        let _ = self.sock.shutdown(Shutdown::Both);
    }
    fn is_tls(&self) -> bool {
        true
    }
}

/// Opens a connection to the address, encrypted where it says so.
pub(super) fn connect(
    address: &DimseAddress,
    tls: Option<&Tls>,
    timeout: Duration,
) -> Result<Box<dyn Wire>, TransferError> {
    let mut tcp = tcp(address, timeout)?;
    let Some(tls) = tls else { return Ok(Box::new(tcp)) };
    let name = ServerName::try_from(address.host().to_owned())
        .map_err(|error| TransferError::Usage(format!("{} is no name that TLS can check: {error}", address.host())))?;
    let made = ClientConnection::new(tls.client.clone(), name);
    let mut connection = made.map_err(|error| TransferError::Denied(error.to_string()))?;
    connection.complete_io(&mut tcp).map_err(|error| insecure(&address.host_and_port, &error))?;
    Ok(Box::new(StreamOwned::new(connection, tcp)))
}

fn tcp(address: &DimseAddress, timeout: Duration) -> Result<TcpStream, TransferError> {
    let place = &address.host_and_port;
    let unknown = |error: io::Error| TransferError::transient(format!("no host is known for {place}: {error}"));
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for one in place.to_socket_addrs().map_err(unknown)? {
        match TcpStream::connect_timeout(&one, timeout) {
            Ok(tcp) => return prepared(tcp, timeout).map_err(|error| broken(&error)),
            Err(error) => last = error,
        }
    }
    Err(TransferError::transient(format!("the connection failed: could not connect to {place}: {last}")))
}

/// Every wait is bounded, and short messages go at once.
fn prepared(tcp: TcpStream, timeout: Duration) -> io::Result<TcpStream> {
    tcp.set_read_timeout(Some(timeout))?;
    tcp.set_write_timeout(Some(timeout))?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

/// Takes a connection that was opened to us, encrypted where there is a way given.
pub(super) fn accept(
    tcp: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    timeout: Duration,
) -> Result<Box<dyn Wire>, TransferError> {
    let mut tcp = prepared(tcp, timeout).map_err(TransferError::file("--receive-port"))?;
    let Some(config) = tls else { return Ok(Box::new(tcp)) };
    let made = ServerConnection::new(config);
    let mut connection = made.map_err(|error| TransferError::Denied(error.to_string()))?;
    connection.complete_io(&mut tcp).map_err(|error| insecure("our port (--receive-port)", &error))?;
    Ok(Box::new(StreamOwned::new(connection, tcp)))
}

/// Why there is no encrypted connection.
fn insecure(place: &str, error: &io::Error) -> TransferError {
    match reason_in(error) {
        Some(reason) => denied(place, reason),
        None => TransferError::transient(format!(
            "no safe connection with {place}: it ended before both sides had agreed ({error}); a port without TLS does so"
        )),
    }
}

fn denied(place: &str, reason: &rustls::Error) -> TransferError {
    TransferError::Denied(format!("no safe connection with {place}: {}", meaning(reason)))
}

/// Why a connection that was there failed.
pub(super) fn broken(error: &io::Error) -> TransferError {
    match (reason_in(error), error.kind()) {
        (Some(reason), _) => denied("the archive", reason),
        (None, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            TransferError::transient("the connection failed: nothing happened for the time allowed (--timeout-s)")
        }
        (None, io::ErrorKind::UnexpectedEof) => TransferError::transient("the archive ended the connection"),
        (None, _) => TransferError::transient(format!("the connection failed: {error}")),
    }
}
