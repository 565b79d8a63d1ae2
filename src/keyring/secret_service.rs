use std::collections::HashMap;
use std::io;

use keyring_core::Error;
use secret_service::{EncryptionType, Error as ServiceError, Item, SecretService};
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use zbus::connection;

use super::raw::{Raw, SERVICE};

/// The type of what an item holds: bytes.
const CONTENT_TYPE: &str = "application/octet-stream";

/// The name of the error of a service whose collection or item is locked.
const IS_LOCKED: &str = "org.freedesktop.Secret.Error.IsLocked";

/// The [Secret Service](https://specifications.freedesktop.org/secret-service/latest/) at a given D-Bus.
///
/// The store of `keyring-core`'s own family takes the address of the bus from the variables of this process; the agent uses the
/// bus of its caller. Items have the names that the store gives them, so that either finds the other's.
///
/// The library's blocking calls would start a runtime of their own, with a thread for each core. Keyrings are called on one
/// thread, and that runs this runtime.
pub(super) struct Service {
    // Before the runtime that its connection belongs to: fields are dropped in this order.
    service: SecretService<'static>,
    runtime: LocalRuntime,
}

impl Service {
    /// Connects to the service at this bus.
    pub(super) fn connect(bus: &str) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
            .map_err(|error| Error::PlatformFailure(Box::new(error)))?;
        let service = runtime.block_on(connect(bus)).map_err(failed)?;
        Ok(Self { service, runtime })
    }
}

impl Raw for Service {
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let loaded = self.runtime.block_on(load(&self.service, name));
        loaded.map_err(failed)
    }

    fn save(&self, name: &str, secret: &[u8]) -> Result<(), Error> {
        let saved = self.runtime.block_on(save(&self.service, name, secret));
        saved.map_err(failed)
    }

    fn remove(&self, name: &str) -> Result<bool, Error> {
        let removed = self.runtime.block_on(remove(&self.service, name));
        removed.map_err(failed)
    }
}

async fn connect(bus: &str) -> Result<SecretService<'static>, ServiceError> {
    let builder = connection::Builder::address(bus).map_err(unavailable)?;
    let connection = builder.build().await.map_err(unavailable)?;
    SecretService::connect_with_existing(EncryptionType::Dh, connection).await
}

async fn load(
    service: &SecretService<'static>,
    name: &str,
) -> Result<Option<Vec<u8>>, ServiceError> {
    match find(service, name).await? {
        Some(item) => item.get_secret().await.map(Some),
        None => Ok(None),
    }
}

async fn save(
    service: &SecretService<'static>,
    name: &str,
    secret: &[u8],
) -> Result<(), ServiceError> {
    if let Some(item) = find(service, name).await? {
        return item.set_secret(secret, CONTENT_TYPE).await;
    }
    let collection = service.get_default_collection().await?;
    if collection.is_locked().await? {
        collection.unlock().await?;
    }
    let label = format!("keyring:{name}@{SERVICE}");
    collection
        .create_item(&label, attributes(name), secret, true, CONTENT_TYPE)
        .await
        .map(drop)
}

async fn remove(service: &SecretService<'static>, name: &str) -> Result<bool, ServiceError> {
    match find(service, name).await? {
        Some(item) => item.delete().await.map(|()| true),
        None => Ok(false),
    }
}

/// Finds an item and unlocks it, for which the service may prompt the user.
async fn find<'a>(
    service: &'a SecretService<'static>,
    name: &str,
) -> Result<Option<Item<'a>>, ServiceError> {
    let found = service.search_items(attributes(name)).await?;
    if let Some(item) = found.unlocked.into_iter().next() {
        return Ok(Some(item));
    }
    let Some(item) = found.locked.into_iter().next() else {
        return Ok(None);
    };
    service.unlock_all(&[&item]).await?;
    Ok(Some(item))
}

fn attributes(name: &str) -> HashMap<&str, &str> {
    HashMap::from([("service", SERVICE), ("username", name)])
}

/// Reports a missing bus as the library does when it looks for the bus itself.
fn unavailable(error: zbus::Error) -> ServiceError {
    match error {
        zbus::Error::InterfaceNotFound | zbus::Error::Address(_) => ServiceError::Unavailable,
        zbus::Error::InputOutput(error) if error.kind() == io::ErrorKind::NotFound => {
            ServiceError::Unavailable
        }
        error => error.into(),
    }
}

fn failed(error: ServiceError) -> Error {
    if is_locked(&error) {
        Error::NoStorageAccess(Box::new(error))
    } else {
        Error::PlatformFailure(Box::new(error))
    }
}

/// Returns whether the keyring is locked: the user dismissed the prompt, there is none, or the service says so by the
/// [name of its error](https://specifications.freedesktop.org/secret-service/latest/errors.html).
fn is_locked(error: &ServiceError) -> bool {
    match error {
        ServiceError::Locked | ServiceError::NoResult | ServiceError::Prompt => true,
        ServiceError::Zbus(error) | ServiceError::ZbusFdo(zbus::fdo::Error::ZBus(error)) => {
            matches!(error, zbus::Error::MethodError(name, ..) if name.as_str() == IS_LOCKED)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use zbus::message::Message;
    use zbus::names::ErrorName;

    use super::*;

    fn method_error(name: &'static str, text: &str) -> ServiceError {
        let call = Message::method_call("/", "CreateItem")
            .and_then(|call| call.build(&()))
            .unwrap();
        let name = ErrorName::try_from(name).unwrap();
        let reply = Message::error(&call.header(), name)
            .and_then(|reply| reply.build(&(text)))
            .unwrap();
        zbus::Error::from(reply).into()
    }

    #[test]
    fn a_locked_collection_is_known_by_the_name_of_the_error() {
        let locked = method_error(IS_LOCKED, "Cannot create an item in a locked collection");
        assert!(is_locked(&locked), "{locked:?}");
        let other = method_error(
            "org.freedesktop.DBus.Error.Failed",
            "the prompt for the locked screen failed",
        );
        assert!(!is_locked(&other), "{other:?}");
        assert!(is_locked(&ServiceError::Prompt));
        assert!(!is_locked(&ServiceError::Unavailable));
    }
}
