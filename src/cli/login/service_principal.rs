use super::secret_file;
use super::{LoginArgs, Setup};
use crate::entra::{self, Application, Proof, ServicePrincipal, Wanted};
use crate::failure::{Failure, FailureKind};
use crate::host::env::Env;
use crate::ids::{ClientId, TenantId};
use crate::secret::Secret;
use crate::session::{self, SignedIn};

/// Where a client secret is looked for if no file is named.
const SECRET_VARIABLES: [&str; 2] = ["ENTRA_SSH_CLIENT_SECRET", "AZURE_CLIENT_SECRET"];

/// What we, the Azure SDK and Azure Pipelines call the application.
const CLIENT_ID_VARIABLES: [&str; 3] = [
    "ENTRA_SSH_CLIENT_ID",
    "AZURE_CLIENT_ID",
    "AZURESUBSCRIPTION_CLIENT_ID",
];
/// What they call its tenant.
const TENANT_VARIABLES: [&str; 2] = ["AZURE_TENANT_ID", "AZURESUBSCRIPTION_TENANT_ID"];

/// Signs a service principal in. A wrong secret shows now, not at the first connection.
pub(super) async fn sign_in(setup: &Setup<'_>, args: LoginArgs) -> Result<SignedIn, Failure> {
    let env = &setup.context.host.env;
    let client_id: Option<ClientId> = named(args.client_id.clone(), env, CLIENT_ID_VARIABLES)?;
    let tenant: Option<TenantId> = named(args.tenant.clone(), env, TENANT_VARIABLES)?;
    let proof = proof_of(env, args, client_id.as_ref())?;
    let (Some(client_id), Some(tenant)) = (client_id, tenant) else {
        return Err(
            Failure::new("a service principal needs --client-id and --tenant")
                .kind(FailureKind::Usage)
                .hint("see what belongs together: entra-ssh login --help"),
        );
    };
    let tenant = entra::tenant_id(setup.http, setup.cloud, tenant).await?;
    let principal = ServicePrincipal { client_id, proof };
    let wanted = Wanted::Token(Application::ResourceManager);
    let now = setup.context.host.clock.now();
    entra::client_credentials(setup.http, setup.cloud, &tenant, &principal, wanted, now).await?;
    Ok(SignedIn::of_service_principal(tenant, principal)?)
}

/// Returns the value of an option, or else of a standard variable.
fn named<T: std::str::FromStr<Err: Into<Failure>>, const N: usize>(
    given: Option<T>,
    env: &Env,
    names: [&str; N],
) -> Result<Option<T>, Failure> {
    match (given, names.iter().find_map(|name| env.var(name))) {
        (None, Some(text)) => text.parse().map(Some).map_err(Into::into),
        (given, _) => Ok(given),
    }
}

fn proof_of(env: &Env, args: LoginArgs, client_id: Option<&ClientId>) -> Result<Proof, Failure> {
    if args.managed_identity {
        return Ok(session::managed_identity(
            env,
            client_id,
            args.identity_client_id,
        )?);
    }
    if args.github_actions {
        return Ok(session::github_actions(env)?);
    }
    if args.azure_pipelines {
        return Ok(session::azure_pipelines(env, args.service_connection_id)?);
    }
    if let Some(file) = &args.federated_token_file {
        return Ok(session::token_file(file)?);
    }
    if let Some(file) = &args.client_certificate {
        let password = args.client_certificate_password_file.as_ref();
        let password = password.map(|file| secret_file::read(file, "the password"));
        return Ok(session::read_certificate(env, file, password.transpose()?)?);
    }
    if let Some(file) = &args.client_secret_file {
        return secret_file::read(file, "the client secret").map(Proof::Secret);
    }
    SECRET_VARIABLES
        .iter()
        .find_map(|name| env.var(name))
        .map(|secret| Proof::Secret(Secret::new(secret.to_owned())))
        .ok_or_else(|| {
            Failure::new("missing client secret")
                .kind(FailureKind::Usage)
                .hint("name its file with --client-secret-file FILE (- for standard input)")
        })
}
