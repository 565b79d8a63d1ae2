use std::pin::pin;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::config::add;
use super::super::context::Context;
use super::super::ui::Ui;
use super::ProxyArgs;
use crate::agent::ask::{AddressQuestion, Answer, Question, another_version};
use crate::agent::client;
use crate::azure::VmAddresses;
use crate::direct::{self, Addresses, DirectError, Place};
use crate::failure::Failure;
use crate::host::descriptor_passing;
use crate::host::standard_streams::{Input, Output};

/// How long a machine usually takes to answer at the most. One that takes longer may be elsewhere by now.
const USUAL_TIME: Duration = Duration::from_secs(2);

/// Opens a connection to a machine with an address: the one that was named, or one that the agent knows. If nobody answers
/// there, or not soon, the VM may have got another one since, or have been stopped.
pub(super) async fn connect(
    ui: Ui,
    context: &Context,
    args: &ProxyArgs,
) -> Result<TcpStream, Failure> {
    if let Some(address) = &args.ip {
        let place = place(args, Addresses::Named(address.clone()));
        return Ok(direct::connect(&place).await?);
    }
    let known = ask_for(context, args, None).await?;
    let place = choose(ui, args, &known)?;
    let mut first = pin!(direct::connect(&place));
    let mut anew = pin!(connect_anew(ui, context, args, &known));
    let error = match timeout(USUAL_TIME, &mut first).await {
        Ok(Ok(stream)) => return Ok(stream),
        Ok(Err(error)) => error,
        Err(_) => tokio::select! {
            tried = &mut first => match tried {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            },
            looked_up = &mut anew => match looked_up {
                Some(outcome) => return outcome,
                None => return Ok(first.await?),
            },
        },
    };
    anew.await.unwrap_or_else(|| Err(error.into()))
}

/// Has the VM looked up again, and opens a connection to it if it is elsewhere. That Azure cannot be asked says less than
/// what was tried already.
async fn connect_anew(
    ui: Ui,
    context: &Context,
    args: &ProxyArgs,
    known: &VmAddresses,
) -> Option<Result<TcpStream, Failure>> {
    let other = ask_for(context, args, Some(known)).await.ok()?;
    if other == *known {
        return None;
    }
    let place = match choose(ui, args, &other) {
        Ok(place) => place,
        Err(failure) => return Some(Err(failure)),
    };
    Some(direct::connect(&place).await.map_err(Failure::from))
}

/// Gives the connection to ssh if it waits for one, or else carries its bytes.
pub(super) async fn give(args: &ProxyArgs, stream: TcpStream) -> Result<(), Failure> {
    let name = name(args);
    if !descriptor_passing::is_awaited() {
        direct::carry(&name, stream, Input::open(), Output::open()).await?;
        return Ok(());
    }
    descriptor_passing::pass(stream).map_err(|source| {
        DirectError::NotTaken {
            machine: name,
            source,
        }
        .into()
    })
}

async fn ask_for(
    context: &Context,
    args: &ProxyArgs,
    unreached: Option<&VmAddresses>,
) -> Result<VmAddresses, Failure> {
    let question = Question::VmAddresses(AddressQuestion {
        profile: context.profile_name(),
        tenancy: add::tenancy_of(args.tenant.as_ref(), args.machine.as_ref()),
        machine: args.machine()?.clone(),
        unreached: unreached.cloned(),
    });
    match client::ask(&context.agent_socket, &question).await? {
        Answer::VmAddresses(addresses) => Ok(addresses),
        _ => Err(another_version()),
    }
}

/// Chooses among the addresses of a VM: the public ones, or, if it has none or it is asked for, the private ones.
fn choose(ui: Ui, args: &ProxyArgs, known: &VmAddresses) -> Result<Place, Failure> {
    let VmAddresses {
        public,
        private,
        power,
    } = known;
    let name = name(args);
    if power.is_off() {
        return Err(Failure::new(format!("`{name}` is {power}"))
            .hint(format!("start it: az vm start --ids {}", args.machine()?)));
    }
    match (public.as_slice(), private.as_slice()) {
        ([], []) => Err(Failure::new(format!("`{name}` has no address")).hint(
            "give it a network interface with one, or name one that leads to it: --ip ADDRESS",
        )),
        ([_, ..], []) => Ok(place(args, Addresses::Public(public.clone()))),
        ([_, ..], _) if !args.prefer_private_ip => {
            Ok(place(args, Addresses::Public(public.clone())))
        }
        (public, _) => {
            let place = place(args, Addresses::Private(private.clone()));
            if public.is_empty() && !args.prefer_private_ip {
                ui.say(&format!(
                    "`{name}` has no public address; connecting to its private one, {place}"
                ));
            }
            Ok(place)
        }
    }
}

fn place(args: &ProxyArgs, addresses: Addresses) -> Place {
    Place {
        machine: name(args),
        addresses,
        port: args.port,
    }
}

/// Returns what people call the machine: its name, or the address if nothing else of it is known.
fn name(args: &ProxyArgs) -> String {
    match (&args.machine, &args.ip) {
        (Some(machine), _) => machine.name().to_string(),
        (None, address) => address
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    }
}
