//! TLS (RFC 8446) without a socket: bytes of the connection on one side, plain bytes on the other.
//!
//! The TLS library is driven by its unbuffered interface, so that records are decrypted where they were read and nothing is
//! read in pieces smaller than the socket gives.

use std::fmt;
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{ClientConfig, Error};

use super::buffer::{Buffer, Capacity};

/// Both directions of one connection.
pub(super) struct Records {
    connection: UnbufferedClientConnection,
    /// Bytes read from the socket.
    pub(super) incoming: Buffer,
    /// Bytes to write to the socket.
    pub(super) outgoing: Buffer,
    is_closed: bool,
}

impl Records {
    /// Begins a handshake; the first message is in [`Records::outgoing`] after the next [`Records::receive`].
    pub(super) fn begin(
        config: &Arc<ClientConfig>,
        name: ServerName<'static>,
        capacity: Capacity,
    ) -> Result<Self, Error> {
        Ok(Self {
            connection: UnbufferedClientConnection::new(Arc::clone(config), name)?,
            incoming: Buffer::new(capacity.incoming_bytes()),
            outgoing: Buffer::new(capacity.outgoing_bytes()),
            is_closed: false,
        })
    }

    /// Decrypts all whole records that have come in, into `plain`, which must have room for
    /// [`Capacity::incoming_bytes`].
    ///
    /// # Errors
    /// [`Error`] if a record is invalid; an alert for it is in [`Records::outgoing`].
    pub(super) fn receive(&mut self, plain: &mut Buffer) -> Result<(), Error> {
        loop {
            match self.step(Some(plain), None) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => {
                    // The connection has failed; sending the alert is best effort.
                    let _sent = self.step(None, None);
                    self.is_closed = true;
                    return Err(error);
                }
            }
        }
    }

    /// Encrypts bytes and adds them to [`Records::outgoing`]: at most [`Capacity::plain_bytes`] since that was empty.
    ///
    /// # Errors
    /// [`Error`] if the keys are used up, or the handshake has not finished.
    pub(super) fn send(&mut self, plain: &[u8]) -> Result<(), Error> {
        while self.step(None, Some(plain))? {}
        Ok(())
    }

    /// Sends `close_notify`: nothing more will be sent.
    pub(super) fn close(&mut self) {
        let status = self
            .connection
            .process_tls_records(self.incoming.filled_mut());
        if let Ok(ConnectionState::WriteTraffic(mut traffic)) = status.state
            && let Ok(length) = traffic.queue_close_notify(self.outgoing.room())
        {
            self.outgoing.add(length);
        }
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Returns whether the other end has closed its side, or the connection has failed.
    pub(super) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Does what the library asks for next; returns whether there may be more. Stops when it needs more from the socket, or
    /// has encrypted `to_send`.
    fn step(&mut self, plain: Option<&mut Buffer>, to_send: Option<&[u8]>) -> Result<bool, Error> {
        let UnbufferedStatus { discard, state, .. } = self
            .connection
            .process_tls_records(self.incoming.filled_mut());
        let mut goes_on = true;
        let outcome = match state {
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                let mut outcome = Ok(());
                let mut plain = plain;
                while let Some(record) = traffic.next_record() {
                    let (Ok(record), Some(plain)) = (record, plain.as_mut()) else {
                        outcome = Err(Error::General("a record came out of turn".to_owned()));
                        break;
                    };
                    plain.append(record.payload);
                }
                outcome
            }
            Ok(ConnectionState::EncodeTlsData(mut data)) => {
                encode(&mut self.outgoing, |room| data.encode(room))
            }
            Ok(ConnectionState::TransmitTlsData(data)) => {
                // It lies in `outgoing`, which is sent before anything else is waited for.
                data.done();
                Ok(())
            }
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                goes_on = false;
                match to_send {
                    Some(bytes) => encrypt(&mut self.outgoing, |room| traffic.encrypt(bytes, room)),
                    None => Ok(()),
                }
            }
            Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => {
                self.is_closed = true;
                goes_on = false;
                Ok(())
            }
            Ok(_) if to_send.is_some() => Err(Error::HandshakeNotComplete),
            Ok(_) => {
                goes_on = false;
                Ok(())
            }
            Err(error) => Err(error),
        };
        self.incoming.remove(discard);
        outcome.map(|()| goes_on)
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("is_closed", &self.is_closed)
            .finish_non_exhaustive()
    }
}

fn encode(
    outgoing: &mut Buffer,
    write: impl FnOnce(&mut [u8]) -> Result<usize, EncodeError>,
) -> Result<(), Error> {
    let length = write(outgoing.room()).map_err(|error| Error::General(error.to_string()))?;
    outgoing.add(length);
    Ok(())
}

fn encrypt(
    outgoing: &mut Buffer,
    write: impl FnOnce(&mut [u8]) -> Result<usize, EncryptError>,
) -> Result<(), Error> {
    let length = write(outgoing.room()).map_err(|error| Error::General(error.to_string()))?;
    outgoing.add(length);
    Ok(())
}
