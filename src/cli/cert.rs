use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::context::Context;
use super::key_args::KeyArgs;
use super::path_arg;
use super::ui::Ui;
use crate::agent::ask::Tenancy;
use crate::certificate::{Certificate, Explanation, RenewWhen, Unverified};
use crate::failure::{Failure, FailureKind, file_failure};
use crate::host::files;
use crate::identity;
use crate::ids::TenantId;
use crate::issue;
use crate::session::{KeyOptions, Profile, Session};

/// The longest certificate file that is read, in bytes.
const MAX_FILE_BYTES: usize = 256 * 1024;

/// Acquire a certificate for a new key in the keyring, or for a key of your own
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  entra-ssh cert\n  entra-ssh cert --public-key-file ~/.ssh/id_rsa.pub\n  \
        entra-ssh cert show ~/.ssh/id_rsa-cert.pub"
)]
pub(super) struct CertArgs {
    #[command(subcommand)]
    command: Option<CertCommand>,
    /// Write the certificate to FILE (- for standard output)
    #[arg(long, value_name = "FILE", value_parser = path_arg::parser())]
    file: Option<PathBuf>,
    /// Acquire a certificate for the public key in FILE, and write it to --file [default: KEY-cert.pub beside FILE]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key_size", "key_type"], value_parser = path_arg::parser())]
    public_key_file: Option<PathBuf>,
    /// Tenant that issues it, which the account is a guest of [default: the profile's tenant]
    #[arg(long, value_name = "ID")]
    tenant: Option<TenantId>,
    #[command(flatten)]
    keys: KeyArgs,
}

#[derive(Debug, Subcommand)]
enum CertCommand {
    /// Explain a certificate file, or the certificate in the keyring
    Show {
        /// Certificate file [default: the certificate in the keyring]
        #[arg(value_parser = path_arg::parser())]
        file: Option<PathBuf>,
    },
}

pub(super) async fn run(ui: Ui, context: &Context, args: CertArgs) -> Result<(), Failure> {
    if let Some(CertCommand::Show { file }) = args.command {
        return match file {
            Some(file) => show_file(ui, context, &file),
            None => show_stored(ui, context).await,
        };
    }
    let session = context.session(args.tenant.as_ref()).await?;
    let own_key = args
        .public_key_file
        .as_deref()
        .map(identity::read_public_key);
    let own_key = own_key.transpose()?;
    let before = keep_key_options(context, &session, args.keys)?;
    let certify = async || match &own_key {
        Some(key) => Ok(issue::certify(&session, key).await?),
        None => from_agent(context, &session, RenewWhen::Now).await,
    };
    let outcome = context.answering(ui, &session.profile.name, certify).await;
    if let (Err(_), Some(before)) = (&outcome, before) {
        // With keys of a kind that Entra does not certify, no login would work from now on.
        set_key_options(context, before)?;
    }
    let certificate = outcome?;
    let file = match (args.file, args.public_key_file) {
        (Some(file), _) => Some(file),
        (None, Some(own)) => Some(identity::certificate_beside(&own)),
        (None, None) => None,
    };
    let explanation = certificate.explain();
    context.record_warnings(&explanation.summarize(context.host.clock.now(), None));
    context.warn(ui);
    match file {
        Some(file) if file.as_os_str() == "-" => {
            ui.raw(&certificate.to_openssh())?;
            ui.say(explanation.to_text(context.host.clock.now()).trim_end());
        }
        Some(file) => {
            write(&certificate, &file)?;
            print(ui, context, &explanation, Some(&file))?;
        }
        None => print(ui, context, &explanation, None)?,
    }
    Ok(())
}

/// Stores the options of keys, and returns the earlier ones if they differ.
fn keep_key_options(
    context: &Context,
    session: &Session,
    keys: KeyArgs,
) -> Result<Option<KeyOptions>, Failure> {
    let before = session.profile.keys;
    let keys = keys.over(before)?;
    if keys == before {
        return Ok(None);
    }
    if !session.is_stored() {
        return Err(Failure::new(
            "cannot store key options of an account that AZURE_ variables name",
        )
        .kind(FailureKind::Usage)
        .hint("sign in with them: entra-ssh login --service-principal"));
    }
    set_key_options(context, keys)?;
    Ok(Some(before))
}

fn set_key_options(context: &Context, keys: KeyOptions) -> Result<(), Failure> {
    let profile = context.profiles().load(&context.profile_name())?;
    Ok(context.profiles().save(&Profile { keys, ..profile })?)
}

/// Acquires a certificate by the agent, which has a key pair ready and keeps both.
async fn from_agent(
    context: &Context,
    session: &Session,
    when: RenewWhen,
) -> Result<Certificate, Failure> {
    let profile = &session.profile.name;
    let tenancy = Tenancy::Tenant(session.tenant.clone());
    let agent = context.agent_for(profile).await?;
    let answer = agent.renew(profile, &tenancy, when).await?;
    context.warn_of_unsaved(&answer.unsaved);
    answer.verified(context.host.clock.now())
}

fn show_file(ui: Ui, context: &Context, file: &Path) -> Result<(), Failure> {
    let text = read(file)?;
    let unverified = Unverified::from_openssh(&text).map_err(|error| {
        Failure::from(error).within(format!("cannot explain `{}`", file.display()))
    })?;
    print(ui, context, &Explanation::of(&unverified), Some(file))
}

async fn show_stored(ui: Ui, context: &Context) -> Result<(), Failure> {
    let session = context.session(None).await?;
    let certificate = if session.is_stored() {
        stored(&session).await?
    } else {
        from_agent(context, &session, RenewWhen::WithinSeconds(0)).await?
    };
    print(ui, context, &certificate.explain(), None)
}

async fn stored(session: &Session) -> Result<Certificate, Failure> {
    let issued = issue::stored(session).await?.ok_or_else(|| {
        Failure::new("no valid certificate in the keyring").hint("acquire one: entra-ssh cert")
    })?;
    Ok(issued.certificate)
}

fn print(
    ui: Ui,
    context: &Context,
    explanation: &Explanation,
    file: Option<&Path>,
) -> Result<(), Failure> {
    let now = context.host.clock.now();
    let file = file.map(|file| file.display().to_string());
    ui.result(&explanation.to_json(now, file), &explanation.to_text(now))
}

fn write(certificate: &Certificate, file: &Path) -> Result<(), Failure> {
    files::write_named(file, certificate.to_openssh().as_bytes())
        .map_err(|error| file_failure("write", file, &error))
}

fn read(path: &Path) -> Result<String, Failure> {
    files::read_text_if_there(path, MAX_FILE_BYTES)
        .and_then(|text| text.ok_or_else(|| std::io::ErrorKind::NotFound.into()))
        .map_err(|error| file_failure("read", path, &error))
}
