use tokio::net::TcpStream;

use super::error::ConnectError;
use super::relayed::RelayConnection;
use crate::direct::{self, DirectError};
use crate::host::descriptor_passing;
use crate::host::standard_streams::{Input, Output};

/// An open connection to a machine.
pub(crate) struct Connected<'a>(Route<'a>);

enum Route<'a> {
    Direct {
        /// The name to show to the user.
        machine: String,
        stream: TcpStream,
    },
    Relayed(Box<RelayConnection<'a>>),
}

impl<'a> Connected<'a> {
    pub(super) const fn direct(machine: String, stream: TcpStream) -> Self {
        Self(Route::Direct { machine, stream })
    }

    pub(super) fn relayed(connection: RelayConnection<'a>) -> Self {
        Self(Route::Relayed(Box::new(connection)))
    }

    /// Carries a client's bytes both ways until one side ends.
    pub(crate) async fn carry(self, client: TcpStream) -> Result<(), ConnectError> {
        let (input, output) = client.into_split();
        match self.0 {
            Route::Direct { machine, stream } => {
                Ok(direct::carry(&machine, stream, input, output).await?)
            }
            Route::Relayed(connection) => connection.carry(input, output).await,
        }
    }

    /// Serves the program that started this one: hands the connection over if the program waits for a descriptor and the route
    /// has one, or else carries bytes between it and standard input and output.
    pub(crate) async fn serve_parent(self) -> Result<(), ConnectError> {
        match self.0 {
            Route::Direct { machine, stream } if descriptor_passing::is_awaited() => {
                descriptor_passing::pass(stream)
                    .map_err(|source| DirectError::NotTaken { machine, source }.into())
            }
            Route::Direct { machine, stream } => {
                Ok(direct::carry(&machine, stream, Input::open(), Output::open()).await?)
            }
            Route::Relayed(connection) => connection.carry_standard_streams().await,
        }
    }
}
