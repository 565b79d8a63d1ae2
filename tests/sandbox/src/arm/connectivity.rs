//! Microsoft.HybridConnectivity: endpoints, service configurations and relay credentials.

use hyper::Method;
use serde_json::{Value, json};

use super::access::Caller;
use super::error::ArmError;
use super::provider;
use crate::clock::unix_now;
use crate::entra::jwt;
use crate::fault::Fault;
use crate::http::{Reply, Request};
use crate::options::{Connectivity, MachineSpec};
use crate::relay::sas::Right;
use crate::world::{World, lock};

/// The port of a service configuration that names none.
pub(crate) const DEFAULT_PORT: u16 = 22;
/// How long credentials may last, in seconds.
const CREDENTIALS_SECONDS: std::ops::RangeInclusive<u64> = 600..=10_800;
/// How long they last where nobody says.
const DEFAULT_CREDENTIALS_SECONDS: u64 = 10_800;

/// Answers `{machine}/providers/Microsoft.HybridConnectivity/endpoints/…`.
pub(crate) fn answer(
    world: &World,
    request: &Request,
    index: usize,
    machine: &MachineSpec,
    rest: &[&str],
    caller: &Caller<'_>,
) -> Result<Reply, ArmError> {
    provider::check(world, &machine.subscription_id)?;
    let endpoint = Endpoint {
        world,
        request,
        index,
        machine,
        caller,
    };
    let method = &request.method;
    match rest {
        ["default"] if method == Method::GET => endpoint.show(),
        ["default"] if method == Method::PUT => endpoint.create(),
        ["default"] if method == Method::DELETE => endpoint.delete(),
        ["default", "listcredentials"] if method == Method::POST => endpoint.list_credentials(),
        ["default", "serviceconfigurations"] if method == Method::GET => endpoint.list_services(),
        ["default", "serviceconfigurations", "ssh"] if method == Method::GET => {
            endpoint.show_service()
        }
        ["default", "serviceconfigurations", "ssh"] if method == Method::PUT => {
            endpoint.configure_service()
        }
        ["default", "serviceconfigurations", "ssh"] if method == Method::DELETE => {
            endpoint.delete_service()
        }
        _ => Err(ArmError::not_found_path(request)),
    }
}

/// The default endpoint of a machine, there or not.
struct Endpoint<'a> {
    world: &'a World,
    request: &'a Request,
    index: usize,
    machine: &'a MachineSpec,
    caller: &'a Caller<'a>,
}

impl Endpoint<'_> {
    fn show(&self) -> Result<Reply, ArmError> {
        self.check_exists()?;
        Ok(Reply::json(200, &self.describe()))
    }

    /// Creates the endpoint. Over one that is there already, it drops the agent's listener.
    fn create(&self) -> Result<Reply, ArmError> {
        self.caller
            .may("Microsoft.HybridConnectivity/endpoints/write", &self.id())?;
        let body = self.body()?;
        let kind = body["properties"]["type"].as_str().unwrap_or("default");
        if !kind.eq_ignore_ascii_case("default") {
            return Err(ArmError::bad_request(
                "InvalidEndpointType",
                format!("The endpoint type '{kind}' is not supported, only 'default' is."),
            ));
        }
        lock(&self.world.arm).endpoints.insert(self.key());
        self.restart_listener();
        // For a new one, too: the Azure CLI and the SDKs take nothing else.
        Ok(Reply::json(200, &self.describe()))
    }

    fn delete(&self) -> Result<Reply, ArmError> {
        self.caller
            .may("Microsoft.HybridConnectivity/endpoints/delete", &self.id())?;
        let mut state = lock(&self.world.arm);
        state.ports.remove(&self.key());
        let was_there = state.endpoints.remove(&self.key());
        Ok(Reply::empty(if was_there { 200 } else { 204 }))
    }

    fn list_services(&self) -> Result<Reply, ArmError> {
        self.check_exists()?;
        let value: Vec<Value> = self
            .port()
            .into_iter()
            .map(|port| self.describe_service(port))
            .collect();
        Ok(Reply::json(200, &json!({"value": value})))
    }

    fn show_service(&self) -> Result<Reply, ArmError> {
        self.check_exists()?;
        let port = self.port().ok_or_else(|| {
            ArmError::resource_not_found(
                "Microsoft.HybridConnectivity/endpoints/default/serviceConfigurations",
                "SSH",
                &self.machine.resource_group,
            )
        })?;
        Ok(Reply::json(200, &self.describe_service(port)))
    }

    fn configure_service(&self) -> Result<Reply, ArmError> {
        self.check_exists()?;
        self.caller.may(
            "Microsoft.HybridConnectivity/endpoints/serviceConfigurations/write",
            &self.id(),
        )?;
        let body = self.body()?;
        let properties = &body["properties"];
        let service = properties["serviceName"].as_str().unwrap_or_default();
        if !service.eq_ignore_ascii_case("SSH") {
            return Err(ArmError::bad_request(
                "InvalidServiceName",
                format!("The service '{service}' is not the one of the path, 'SSH'."),
            ));
        }
        let port = match &properties["port"] {
            Value::Null => DEFAULT_PORT,
            port => port
                .as_u64()
                .and_then(|port| u16::try_from(port).ok())
                .filter(|port| *port != 0)
                .ok_or_else(|| {
                    ArmError::bad_request("InvalidPort", format!("The port '{port}' is not one."))
                })?,
        };
        let old = lock(&self.world.arm).ports.insert(self.key(), port);
        if old != Some(port) {
            self.restart_listener();
        }
        let status = if old.is_none() { 201 } else { 200 };
        Ok(Reply::json(status, &self.describe_service(port)))
    }

    fn delete_service(&self) -> Result<Reply, ArmError> {
        self.check_exists()?;
        self.caller.may(
            "Microsoft.HybridConnectivity/endpoints/serviceConfigurations/delete",
            &self.id(),
        )?;
        let old = lock(&self.world.arm).ports.remove(&self.key());
        Ok(Reply::empty(if old.is_some() { 200 } else { 204 }))
    }

    fn list_credentials(&self) -> Result<Reply, ArmError> {
        self.caller.may(
            "Microsoft.HybridConnectivity/endpoints/listCredentials/action",
            &self.id(),
        )?;
        let lifetime = match self.request.query.value("expiresin") {
            None => DEFAULT_CREDENTIALS_SECONDS,
            Some(text) => text
                .parse()
                .ok()
                .filter(|seconds| CREDENTIALS_SECONDS.contains(seconds))
                .ok_or_else(|| {
                    ArmError::bad_request(
                        "InvalidExpiresIn",
                        format!(
                            "The value '{text}' of 'expiresin' is not within {} and {} seconds.",
                            CREDENTIALS_SECONDS.start(),
                            CREDENTIALS_SECONDS.end()
                        ),
                    )
                })?,
        };
        let body = self.body()?;
        let service = body["serviceName"].as_str();
        if let Some(service) = service.filter(|name| !name.eq_ignore_ascii_case("SSH")) {
            return Err(ArmError::bad_request(
                "InvalidServiceName",
                format!("The service '{service}' is not supported, only 'SSH' is."),
            ));
        }
        self.check_exists()?;
        let expires = unix_now() + lifetime;
        let mut credentials = self.credentials(expires);
        // Whoever names no service gets credentials without its port.
        if service.is_some() {
            let port = self.port().ok_or_else(|| {
                ArmError::new(
                    412,
                    "PreconditionFailed",
                    "The service configuration 'SSH' of the endpoint does not exist. Create it first.",
                )
            })?;
            credentials["relay"]["serviceConfigurationToken"] =
                self.service_token(port, expires).into();
        }
        Ok(Reply::json(200, &credentials))
    }

    fn service_token(&self, port: u16, expires: u64) -> String {
        let world = self.world;
        jwt::sign(
            world.signing_key,
            &json!({
                "aud": world.relay.connection_of(self.index),
                "exp": expires,
                "iss": "https://guestnotificationservice.azure.com",
                "port": port,
                "resourceId": self.machine.resource_id(),
                "serviceName": "SSH",
            }),
        )
    }

    fn credentials(&self, expires: u64) -> Value {
        let world = self.world;
        let hybrid_connection = world.relay.connection_of(self.index);
        // `127` and `0.0.1:port` make an address that resolves everywhere.
        let mut host = format!("127.0.0.1:{}", world.addresses.relay_port);
        if let Some(Fault::RelayAddress { host: other }) = world
            .faults
            .take(|fault| matches!(fault, Fault::RelayAddress { .. }))
        {
            host = other;
        }
        let (name, suffix) = host.split_once('.').unwrap_or((&host, ""));
        json!({
            "relay": {
                "namespaceName": name,
                "namespaceNameSuffix": suffix,
                "hybridConnectionName": hybrid_connection,
                "accessKey": world.relay.token(Right::Send, hybrid_connection, expires),
                "expiresOn": expires,
            },
        })
    }

    fn check_exists(&self) -> Result<(), ArmError> {
        if lock(&self.world.arm).endpoints.contains(&self.key()) {
            return Ok(());
        }
        Err(ArmError::resource_not_found(
            "Microsoft.HybridConnectivity/endpoints",
            "default",
            &self.machine.resource_group,
        ))
    }

    fn port(&self) -> Option<u16> {
        lock(&self.world.arm).ports.get(&self.key()).copied()
    }

    /// Lets the agent listen (again), once there is all it needs.
    fn restart_listener(&self) {
        if self.port().is_some() && self.machine.connectivity != Connectivity::NobodyListens {
            let world = self.world;
            // Nobody waits here: a real agent takes its time, too.
            drop(world.agents.restart(self.index, world.options.agent_delay));
        }
    }

    fn body(&self) -> Result<Value, ArmError> {
        self.request.json().map_err(|error| {
            ArmError::bad_request(
                "InvalidRequestContent",
                format!(
                    "The request content was invalid and could not be deserialized: '{error}'."
                ),
            )
        })
    }

    fn key(&self) -> String {
        self.machine.resource_id().to_lowercase()
    }

    fn id(&self) -> String {
        format!(
            "{}/providers/Microsoft.HybridConnectivity/endpoints/default",
            self.machine.resource_id()
        )
    }

    fn describe(&self) -> Value {
        json!({
            "id": self.id(),
            "name": "default",
            "type": "Microsoft.HybridConnectivity/endpoints",
            "properties": {"type": "default", "provisioningState": "Succeeded"},
        })
    }

    fn describe_service(&self, port: u16) -> Value {
        json!({
            "id": format!("{}/serviceConfigurations/SSH", self.id()),
            "name": "SSH",
            "type": "Microsoft.HybridConnectivity/endpoints/serviceConfigurations",
            "properties": {
                "serviceName": "SSH",
                "port": port,
                "provisioningState": "Succeeded",
            },
        })
    }
}
