mod args;
mod browser;
mod device_code;
mod secret_file;
mod service_principal;
mod setup;
pub(super) mod step_up;
mod user;

use serde_json::json;

pub(super) use self::args::LoginArgs;
use self::setup::Setup;
use super::context::Context;
use super::login_names;
use super::ui::Ui;
use crate::failure::Failure;
use crate::host::http::Http;
use crate::keyring::{Backend, Keyring};

pub(super) async fn run(ui: Ui, context: &Context, args: LoginArgs) -> Result<(), Failure> {
    let cloud_name = context.cloud()?;
    let cloud = cloud_name.open()?;
    let before = context.profiles().load(&context.profile_name()).ok();
    let keys = before.as_ref().map(|profile| profile.keys);
    let keys = args.keys.over(keys.unwrap_or_default())?;
    // Before the user signs in: a keyring that cannot be used would waste it.
    let keyring = Keyring::choose(context.keyring, &context.host).await?;
    let http = Http::for_cloud(&cloud, &context.host.env)?;
    let setup = Setup {
        ui,
        context,
        cloud: &cloud,
        http: &http,
    };
    let signed_in = if args.is_for_a_pipeline() {
        service_principal::sign_in(&setup, args).await?
    } else {
        user::sign_in(&setup, &args).await?
    };
    let profile = signed_in
        .store(
            &context.host,
            context.profile_name(),
            cloud_name,
            keys,
            &keyring,
            context,
        )
        .await?;
    let text = format!(
        "signed in as {} (tenant {}, profile {}); kept in {}\n",
        profile.account,
        profile.tenant,
        profile.name,
        keyring.backend()
    );
    let json = json!({
        "profile": profile.name, "cloud": cloud.name, "tenant": profile.tenant, "account": profile.account,
        "keyring": {
            "backend": keyring.backend(), "reason": keyring.reason(), "forgets": keyring.backend().forgets(),
        },
    });
    ui.result(&json, &text)?;
    warn_of_loss(ui, &keyring);
    login_names::follow(ui, context, before.as_ref(), &profile).await
}

/// Warns of a keyring that forgets the sign-in, and says how to keep it.
fn warn_of_loss(ui: Ui, keyring: &Keyring) {
    let Some(when) = keyring.backend().forgets() else {
        return;
    };
    let backend = keyring.backend();
    ui.say(&format!(
        "warning: {backend} forgets the sign-in {when}\nhint: keep it in private files instead: entra-ssh login --keyring file"
    ));
    if backend == Backend::Memory {
        ui.say(&format!(
            "entra-ssh uses the agent's memory because {}",
            keyring.reason()
        ));
    }
}
