//! A local port that leads to a machine, for clients without `ProxyCommand`.

mod args;
mod bind;
mod machine;
mod port;

use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::sleep;

pub(super) use self::args::ForwardArgs;
use self::port::{Port, config_host};
use super::context::Context;
use super::one_connection;
use super::ui::Ui;
use crate::failure::Failure;
use crate::host::interrupts::Interrupts;

/// How many connections may be open at once; the next one waits until another ends.
const MAX_CONNECTIONS: usize = 256;
/// How long open connections have to end after Ctrl-C.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How long to wait when the system cannot accept a connection, for lack of descriptors for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn run(ui: Ui, context: &Context, args: ForwardArgs) -> Result<(), Failure> {
    let machine = machine::find(ui, context, &args).await?;
    let port = Port::prepare(&ui, context, machine).await?;
    let listener = args.bind.listen().await?;
    let mut interrupts = Interrupts::open()
        .map_err(|error| Failure::new("cannot wait for signals").caused_by(&error))?;
    let bound = listener.local_addr().unwrap_or(args.bind.0);
    let login_line = port.certify(bound).await;
    port.tell(bound)?;
    if let Some(line) = login_line {
        ui.say(&format!("log in with: {line}"));
    }
    let mut open = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if open.len() < MAX_CONNECTIONS => match accepted {
                Ok((client, _)) => open.push(port.carry(client)),
                Err(error) => {
                    ui.fail(&Failure::new("cannot accept a connection").caused_by(&error));
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(()) = open.next() => {}
            () = interrupts.next() => break,
        }
    }
    drop(listener);
    if !open.is_empty() {
        let what = match open.len() {
            1 => "1 connection".to_owned(),
            several => format!("{several} connections"),
        };
        let seconds = STOP_LIMIT.as_secs();
        ui.say(&format!(
            "waiting up to {seconds} s for {what} to end; press Ctrl-C to close what is left"
        ));
    }
    tokio::select! {
        () = async { while open.next().await.is_some() {} } => {}
        () = interrupts.next() => {}
        () = sleep(STOP_LIMIT) => {}
    }
    one_connection::remove(context, &config_host(bound));
    Ok(())
}
