use crate::ids::{HostAlias, Principal};
use crate::ssh_config::ManagedConfig;

/// Sets the login names of hosts. A host that is not managed any more stays so.
pub(crate) fn set_login_names(config: &mut ManagedConfig, names: &[(HostAlias, Principal)]) {
    for (host, user) in names {
        let block = config.blocks().find(|block| block.host == *host).cloned();
        if let Some(mut block) = block {
            block.user = user.clone();
            config.insert(block);
        }
    }
}
