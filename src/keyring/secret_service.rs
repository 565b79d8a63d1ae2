use std::collections::HashMap;
use std::io;

use keyring_core::Error;
use secret_service::blocking::{Item, SecretService};
use secret_service::{EncryptionType, Error as ServiceError};
use zbus::blocking::connection::Builder;

use super::raw::{Raw, SERVICE};

/// The type of what an item holds: bytes.
const CONTENT_TYPE: &str = "application/octet-stream";

/// The name of the error of a service whose collection or item is locked.
const IS_LOCKED: &str = "org.freedesktop.Secret.Error.IsLocked";

/// The [Secret Service](https://specifications.freedesktop.org/secret-service/latest/) at a D-Bus of our choice.
///
/// The store of `keyring-core`'s own family takes the address of the bus from the variables of this process. The agent asks
/// the bus of whoever asks the agent. Items have the names that the store gives them, so that either finds the other's.
pub(super) struct Service(SecretService<'static>);

impl Service {
    /// Connects to the service at this bus.
    pub(super) fn connect(bus: &str) -> Result<Self, Error> {
        let connection = Builder::address(bus)
            .and_then(Builder::build)
            .map_err(|error| failed(unavailable(error)))?;
        SecretService::connect_with_existing(EncryptionType::Dh, connection)
            .map(Self)
            .map_err(failed)
    }

    /// Finds an item, unlocked, for which the user may be asked.
    fn find(&self, name: &str) -> Result<Option<Item<'_>>, Error> {
        let found = self.0.search_items(attributes(name)).map_err(failed)?;
        if let Some(item) = found.unlocked.into_iter().next() {
            return Ok(Some(item));
        }
        let Some(item) = found.locked.into_iter().next() else {
            return Ok(None);
        };
        self.0.unlock_all(&[&item]).map_err(failed)?;
        Ok(Some(item))
    }
}

impl Raw for Service {
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let item = self.find(name)?;
        item.map(|item| item.get_secret().map_err(failed))
            .transpose()
    }

    fn save(&self, name: &str, secret: &[u8]) -> Result<(), Error> {
        if let Some(item) = self.find(name)? {
            return item.set_secret(secret, CONTENT_TYPE).map_err(failed);
        }
        let collection = self.0.get_default_collection().map_err(failed)?;
        if collection.is_locked().map_err(failed)? {
            collection.unlock().map_err(failed)?;
        }
        let label = format!("keyring:{name}@{SERVICE}");
        collection
            .create_item(&label, attributes(name), secret, true, CONTENT_TYPE)
            .map(drop)
            .map_err(failed)
    }

    fn remove(&self, name: &str) -> Result<bool, Error> {
        match self.find(name)? {
            Some(item) => item.delete().map(|()| true).map_err(failed),
            None => Ok(false),
        }
    }
}

fn attributes(name: &str) -> HashMap<&str, &str> {
    HashMap::from([("service", SERVICE), ("username", name)])
}

/// Says of a bus that is not there what the library says of one that it looks for itself.
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
