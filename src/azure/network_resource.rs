use crate::ids::{ResourceGroup, ResourceIdParts, SubscriptionId};

/// The longest name of a resource of Microsoft.Network, in characters.
const MAX_NAME_CHARS: usize = 80;

/// The path of a resource of Microsoft.Network, and its name.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct NetworkResource {
    pub(super) path: String,
    pub(super) name: String,
}

impl NetworkResource {
    /// Parses the resource ID of a resource of this type. It becomes the path of another request, so that anything else is
    /// rejected.
    pub(super) fn parse(id: &str, kind: &str) -> Option<Self> {
        let parts = ResourceIdParts::split(id)?;
        let resource_type = format!("Microsoft.Network/{kind}");
        let is_of_type = parts.resource_type().eq_ignore_ascii_case(&resource_type);
        let subscription: SubscriptionId = parts.subscription.parse().ok()?;
        let group: ResourceGroup = parts.group.parse().ok()?;
        // A group of dots alone would lead upwards.
        let is_group = group.as_str().chars().any(char::is_alphanumeric);
        let name = parts.name;
        (is_of_type && is_group && is_name(name)).then(|| Self {
            path: format!(
                "/subscriptions/{subscription}/resourceGroups/{group}/providers/{resource_type}/{name}"
            ),
            name: name.to_owned(),
        })
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.chars().count() <= MAX_NAME_CHARS
        && text.chars().any(char::is_alphanumeric)
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || "-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reject_what_would_lead_to_another_request() {
        let good = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/rg-vm/providers/Microsoft.Network/\
            networkInterfaces/vm01-nic";
        let parsed = NetworkResource::parse(&good.to_uppercase(), "networkInterfaces").unwrap();
        assert!(
            parsed
                .path
                .ends_with("/providers/Microsoft.Network/networkInterfaces/VM01-NIC")
        );
        for id in [
            "",
            "/",
            "vm01-nic",
            &good.replace("vm01-nic", ".."),
            &good.replace("vm01-nic", ""),
            &good.replace("vm01-nic", "a?b"),
            &good.replace("vm01-nic", &"a".repeat(MAX_NAME_CHARS + 1)),
            &good.replace("rg-vm", "a/b"),
            &good.replace("rg-vm", ".."),
            &good.replace("0b1f6471", "x"),
            &good.replace("Microsoft.Network", "Microsoft.Compute"),
            &good.replace("networkInterfaces", "publicIPAddresses"),
            &format!("{good}/ipConfigurations/primary"),
            &format!("https://elsewhere.example{good}"),
        ] {
            assert_eq!(
                NetworkResource::parse(id, "networkInterfaces"),
                None,
                "{id}"
            );
        }
    }
}
