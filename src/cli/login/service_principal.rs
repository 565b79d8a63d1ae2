use std::io;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::super::context::Context;
use super::{LoginArgs, SignedIn};
use crate::cloud::Cloud;
use crate::entra::{self, ClientSecret, Identity, Wanted};
use crate::failure::{Failure, FailureKind, file_failure};
use crate::host::files;
use crate::host::http::Http;
use crate::ids::Account;
use crate::keyring::entry::Entry;
use crate::profile::Method;
use crate::secret::Secret;

/// The longest client secret that is read, in bytes.
const MAX_SECRET_BYTES: usize = 4096;
/// Where a client secret is looked for if no file is named.
const SECRET_VARIABLES: [&str; 2] = ["ENTRA_SSH_CLIENT_SECRET", "AZURE_CLIENT_SECRET"];

/// Signs a service principal in. A wrong secret is told now, not at the first connection.
pub(super) async fn sign_in(
    context: &Context,
    args: LoginArgs,
    cloud: &Cloud,
    http: &Http,
) -> Result<SignedIn, Failure> {
    let (Some(client_id), Some(tenant)) = (args.client_id, args.tenant) else {
        return Err(
            Failure::new("a service principal needs --client-id and --tenant")
                .kind(FailureKind::Usage),
        );
    };
    let account: Account = client_id.as_str().parse()?;
    let identity = ClientSecret {
        client_id,
        secret: read_secret(context, args.client_secret_file.as_ref())?,
    };
    entra::client_credentials(http, cloud, &tenant, &identity, Wanted::ResourceManager).await?;
    Ok(SignedIn {
        identity: Identity { tenant, account },
        method: Method::ClientSecret {
            client_id: identity.client_id,
        },
        entry: Entry::ClientSecret(identity.secret),
    })
}

fn read_secret(context: &Context, file: Option<&PathBuf>) -> Result<Secret, Failure> {
    let Some(file) = file else {
        let env = &context.host.env;
        return SECRET_VARIABLES
            .iter()
            .find_map(|name| env.var(name))
            .map(|secret| Secret::new(secret.to_owned()))
            .ok_or_else(|| {
                Failure::new("there is no client secret")
                    .kind(FailureKind::Usage)
                    .hint("name its file with --client-secret-file FILE (- for standard input)")
            });
    };
    let read = if file.as_os_str() == "-" {
        files::read_stream_capped(io::stdin().lock(), MAX_SECRET_BYTES)
    } else {
        files::read_capped(file, MAX_SECRET_BYTES)
    };
    let bytes = Zeroizing::new(
        read.map_err(|error| file_failure("read the client secret from", file, &error))?,
    );
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Failure::new(format!("`{}` holds no text", file.display())).hint(SECRET_HINT))?
        .trim();
    if text.is_empty() {
        return Err(Failure::new(format!("`{}` is empty", file.display())).hint(SECRET_HINT));
    }
    Ok(Secret::new(text.to_owned()))
}

const SECRET_HINT: &str = "it must hold the client secret's value and nothing else";
